// Two-link leg: equation of motion, and how far it can be off when the state is known late and with
// error.
//
// With knee angle k, hip rate p, knee rate r (flexion positive; the shank's absolute angle is hip -
// k):
//   M = [[alpha + beta + 2 gamma cos k, -(beta + gamma cos k)], [., beta]]
//   Coriolis = (gamma sin k (r^2 - 2 p r), gamma sin k p^2)
//   gravity  = (G1 sin hip + G2 sin(hip - k), -G2 sin(hip - k))

#include <algorithm>
#include <cmath>
#include <numbers>

#include "saferl/robot/exoskeleton_spread.h"

namespace saferl::robot {
namespace {

constexpr double kGravity_m_s2 = 9.80665;  // standard gravity, ISO 80000-3

/// Largest cos x and |sin x| for x in [middle - half, middle + half], |x| < pi.
double LargestCosine(double middle, double half) {
  return std::cos(std::max(0.0, std::abs(middle) - half));
}
double SmallestCosine(double middle, double half) {
  return std::cos(std::min(std::numbers::pi, std::abs(middle) + half));
}
double LargestSine(double middle, double half) {
  const double to_peak = std::max(0.0, std::abs(std::abs(middle) - std::numbers::pi / 2) - half);
  return std::cos(to_peak);
}

}  // namespace

LegDynamics Exoskeleton::Dynamics(int leg, const Joints& q, const Joints& qd) const {
  const double hip = q[2 * leg], knee = q[2 * leg + 1], p = qd[2 * leg], r = qd[2 * leg + 1];
  const double c = gamma_ * std::cos(knee), s = gamma_ * std::sin(knee);
  LegDynamics d;
  d.mass[0][0] = alpha_ + beta_ + 2 * c;
  d.mass[0][1] = d.mass[1][0] = -(beta_ + c);
  d.mass[1][1] = beta_;
  const double determinant = alpha_ * beta_ - c * c;
  d.inverse[0][0] = beta_ / determinant;
  d.inverse[0][1] = d.inverse[1][0] = (beta_ + c) / determinant;
  d.inverse[1][1] = d.mass[0][0] / determinant;
  const double shank = shank_gravity_ * std::sin(hip - knee);
  d.bias[0] = s * (r * r - 2 * p * r) + hip_gravity_ * std::sin(hip) + shank;
  d.bias[1] = s * p * p - shank;
  return d;
}

Joints Exoskeleton::Acceleration(const Joints& q, const Joints& qd, const Joints& u) const {
  Joints a{};
  for (int leg = 0; leg < kExoLegs; ++leg) {
    const LegDynamics d = Dynamics(leg, q, qd);
    const double torque[2] = {u[2 * leg] - d.bias[0], u[2 * leg + 1] - d.bias[1]};
    for (int i = 0; i < 2; ++i)
      a[2 * leg + i] = d.inverse[i][0] * torque[0] + d.inverse[i][1] * torque[1];
  }
  return a;
}

Joints Exoskeleton::Bias(const Joints& q, const Joints& qd) const {
  Joints bias{};
  for (int leg = 0; leg < kExoLegs; ++leg) {
    const LegDynamics d = Dynamics(leg, q, qd);
    bias[2 * leg] = d.bias[0];
    bias[2 * leg + 1] = d.bias[1];
  }
  return bias;
}

Exoskeleton::Spread Exoskeleton::SpreadAt(double knee, double half_width) const {
  const double high = LargestCosine(knee, half_width), low = SmallestCosine(knee, half_width);
  Spread s;
  s.cosine = std::max(std::abs(high), std::abs(low));
  s.sine = LargestSine(knee, half_width);
  const double determinant = alpha_ * beta_ - gamma_ * gamma_ * s.cosine * s.cosine;
  const double cross = std::max(std::abs(beta_ + gamma_ * high), std::abs(beta_ + gamma_ * low));
  s.inverse[0][0] = beta_ / determinant;
  s.inverse[0][1] = s.inverse[1][0] = cross / determinant;
  s.inverse[1][1] = (alpha_ + beta_ + 2 * gamma_ * high) / determinant;
  return s;
}

// |(M(q') - M(q)) a + bias(q', qd') - bias(q, qd)| for |q' - q| <= dq, |qd' - qd| <= dqd, rates up
// to `speed`: the mean value theorem, term by term, with every factor at its largest.
void Exoskeleton::ErrorTorque(const Spread& at, const double speed[2], const double dq[2],
                              const double dqd[2], const double acceleration[2],
                              double error[2]) const {
  const double p = speed[0], r = speed[1];
  const double turn = gamma_ * at.sine * dq[1];  // change of gamma cos(knee)
  const double shank = shank_gravity_ * (dq[0] + dq[1]);
  error[0] = turn * (2 * acceleration[0] + acceleration[1]) +
             gamma_ * at.cosine * dq[1] * (r * r + 2 * p * r) +
             gamma_ * at.sine * (2 * (p + r) * dqd[1] + 2 * r * dqd[0]) + hip_gravity_ * dq[0] +
             shank;
  error[1] = turn * acceleration[0] + gamma_ * at.cosine * dq[1] * p * p +
             gamma_ * at.sine * 2 * p * dqd[0] + shank;
}

// While braking, the torque in force was computed from a state up to `delay` old: qdd = a + M^-1 (w
// + error), with the error from ErrorTorque for dq = q_error + speed delay, dqd = qd_error + (B +
// disturbance) delay. The disturbance bounds |M^-1 (w + error)| for every knee angle in the range
// and all rates up to the speed limit. It appears on both sides: iterate from below to the least
// solution, then accept it only if it satisfies the inequality with room.
void Exoskeleton::ComputeNetBrake() {
  constexpr int kCells = 256;
  const double low = config_.limits.q_lower[1], high = config_.limits.q_upper[1];
  const Limits& l = config_.limits;
  delay_s_ = hold_s() + state_age_s_;
  double dq[2], dqd[2], brake[2], speed[2], bound[2] = {0, 0};
  const auto evaluate = [&](const double disturbance[2], double out[2]) {
    out[0] = 0;
    out[1] = 0;
    for (int i = 0; i < 2; ++i) {
      brake[i] = l.brake[i];
      speed[i] = l.qd_max[i];
      dq[i] = q_error_[i] + speed[i] * delay_s_;
      dqd[i] = qd_error_[i] + (brake[i] + disturbance[i]) * delay_s_;
    }
    for (int cell = 0; cell < kCells; ++cell) {
      const double width = (high - low) / kCells;
      const Spread at = SpreadAt(low + (cell + 0.5) * width, 0.5 * width + dq[1]);
      double error[2];
      ErrorTorque(at, speed, dq, dqd, brake, error);
      for (int i = 0; i < 2; ++i) {
        const double push = at.inverse[i][0] * (tracking_error_[0] + error[0]) +
                            at.inverse[i][1] * (tracking_error_[1] + error[1]);
        out[i] = std::max(out[i], push);
      }
    }
  };
  for (int pass = 0; pass < 30; ++pass) {
    const double guess[2] = {bound[0], bound[1]};
    evaluate(guess, bound);
  }
  double room[2] = {1.001 * bound[0], 1.001 * bound[1]}, check[2];
  evaluate(room, check);
  brake_beats_wearer_ = check[0] <= room[0] && check[1] <= room[1];
  for (int j = 0; j < kExoJoints; ++j) {
    disturbance_[j] = room[j % 2];
    limits_.brake[j] = l.brake[j] - room[j % 2];
    // Above this rate the law's full B or at least its cut damping outweighs the disturbance.
    const double stale = qd_error_[j] + (l.brake[j] + room[j % 2]) * delay_s_;
    rest_speed_[j] = std::max(l.brake[j] / config_.damping_1_s, stale) + stale;
    brake_beats_wearer_ =
        brake_beats_wearer_ && limits_.brake[j] > 0 && rest_speed_[j] < l.qd_max[j];
  }
}

Exoskeleton::Exoskeleton(const ExoskeletonConfig& config) : config_(config) {
  kind_ = Kind::kExoskeleton;
  name_ = config.name;
  n_ = kExoJoints;
  n_links_ = kExoJoints;
  period_s_ = config.period_s;
  reaction_s_ = config.reaction_s;
  state_age_s_ = config.state_age_s;
  limits_ = config.limits;
  q_error_ = config.q_error;
  qd_error_ = config.qd_error;
  tracking_error_ = config.tracking_error;
  const LegData& leg = config.leg;
  alpha_ = leg.thigh_inertia_kg_m2 + leg.thigh_mass_kg * leg.thigh_com_m * leg.thigh_com_m +
           leg.shank_mass_kg * leg.thigh_length_m * leg.thigh_length_m;
  beta_ = leg.shank_inertia_kg_m2 + leg.shank_mass_kg * leg.shank_com_m * leg.shank_com_m;
  gamma_ = leg.shank_mass_kg * leg.thigh_length_m * leg.shank_com_m;
  hip_gravity_ = (leg.thigh_mass_kg * leg.thigh_com_m + leg.shank_mass_kg * leg.thigh_length_m) *
                 kGravity_m_s2;
  shank_gravity_ = leg.shank_mass_kg * leg.shank_com_m * kGravity_m_s2;
  ComputeNetBrake();
}

}  // namespace saferl::robot
