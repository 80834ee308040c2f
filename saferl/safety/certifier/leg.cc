#include "saferl/safety/certifier/leg.h"

#include <algorithm>
#include <cmath>

namespace saferl::safety::certifier {
namespace {

constexpr double kGravity_m_s2 = 9.80665;

/// M and the rest of M qdd + c = torque, from T = sum of m |v|^2 / 2 + I w^2 / 2 and V = m g z.
struct Motion {
  double m11, m12, m22, c1, c2;
};

Motion MotionAt(const LegNumbers& leg, double h, double k, double p, double r) {
  // Thigh leans by h, shank by s = h - k; with a = h', b = s' the coupling is m2 l c2 a b cos(h -
  // s).
  const double s = h - k, a = p, b = p - r;
  const double i1 = leg.thigh_inertia + leg.thigh_mass * leg.thigh_com * leg.thigh_com +
                    leg.shank_mass * leg.thigh_length * leg.thigh_length;
  const double i2 = leg.shank_inertia + leg.shank_mass * leg.shank_com * leg.shank_com;
  const double e = leg.shank_mass * leg.thigh_length * leg.shank_com;
  const double cosine = std::cos(h - s), sine = std::sin(h - s);
  const double g1 = (leg.thigh_mass * leg.thigh_com + leg.shank_mass * leg.thigh_length) *
                    kGravity_m_s2 * std::sin(h);
  const double g2 = leg.shank_mass * leg.shank_com * kGravity_m_s2 * std::sin(s);
  // Equations in the absolute angles: i1 a' + e cos b' + e sin b^2 + g1 = Q_h, and alike for s.
  const double q1 = e * sine * b * b + g1, q2 = -e * sine * a * a + g2;
  // h = h, s = h - k: the generalised forces are Q_hip = Q_h + Q_s, Q_knee = -Q_s.
  return {i1 + 2 * e * cosine + i2, -(e * cosine + i2), i2, q1 + q2, -q2};
}

}  // namespace

std::array<double, 2> LegAcceleration(const RobotData& data, int first, const robot::Joints& q,
                                      const robot::Joints& qd, const robot::Joints& torque) {
  const Motion m = MotionAt(data.leg, q[first], q[first + 1], qd[first], qd[first + 1]);
  const double t1 = torque[first] - m.c1, t2 = torque[first + 1] - m.c2;
  const double det = m.m11 * m.m22 - m.m12 * m.m12;
  return {(m.m22 * t1 - m.m12 * t2) / det, (m.m11 * t2 - m.m12 * t1) / det};
}

robot::Joints TorqueFor(const RobotData& data, const robot::Joints& q, const robot::Joints& qd,
                        const robot::Joints& qdd) {
  robot::Joints torque{};
  for (int j = 0; j < 4; j += 2) {
    const Motion m = MotionAt(data.leg, q[j], q[j + 1], qd[j], qd[j + 1]);
    torque[j] = m.m11 * qdd[j] + m.m12 * qdd[j + 1] + m.c1;
    torque[j + 1] = m.m12 * qdd[j] + m.m22 * qdd[j + 1] + m.c2;
  }
  return torque;
}

void StepLegs(const RobotData& data, const robot::Joints& torque, double h, robot::Joints* q,
              robot::Joints* qd) {
  for (int j = 0; j < 4; j += 2) {
    robot::Joints x = *q, v = *qd;
    std::array<double, 2> dx[4], dv[4];
    constexpr double kAt[4] = {0, 0.5, 0.5, 1};
    for (int stage = 0; stage < 4; ++stage) {
      for (int i = 0; i < 2 && stage > 0; ++i) {
        x[j + i] = (*q)[j + i] + h * kAt[stage] * dx[stage - 1][i];
        v[j + i] = (*qd)[j + i] + h * kAt[stage] * dv[stage - 1][i];
      }
      dx[stage] = {v[j], v[j + 1]};
      dv[stage] = LegAcceleration(data, j, x, v, torque);
    }
    for (int i = 0; i < 2; ++i) {
      (*q)[j + i] += h / 6 * (dx[0][i] + 2 * dx[1][i] + 2 * dx[2][i] + dx[3][i]);
      (*qd)[j + i] += h / 6 * (dv[0][i] + 2 * dv[1][i] + 2 * dv[2][i] + dv[3][i]);
    }
  }
}

robot::Joints BrakingTorque(const RobotData& data, const robot::Joints& q, const robot::Joints& qd,
                            double delay_s) {
  robot::Joints a{};
  for (int j = 0; j < 4; ++j) {
    const double b = data.brake[j];
    a[j] = std::clamp(-data.damping_1_s * qd[j], -b, b);
    // Half of B is taken to be left against the worst disturbance.
    const auto must_push = [&](double gap, double speed) {
      const double v = speed + data.qd_error[j] + 2 * b * delay_s;
      return v > 0 && data.q_error[j] + v * delay_s + v * v / b >= gap;
    };
    if (must_push(data.q_upper[j] - q[j], qd[j])) a[j] = -b;
    if (must_push(q[j] - data.q_lower[j], -qd[j])) a[j] = b;
  }
  return TorqueFor(data, q, qd, a);
}

}  // namespace saferl::safety::certifier
