#include "saferl/robot/exoskeleton.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "saferl/base/text.h"
#include "saferl/robot/capsule_query.h"
#include "saferl/robot/exoskeleton_spread.h"

// The proof, per joint (flexion; extension is its mirror). B: asked for; D: disturbance(); beta = B
// - D: net_brake(); A = B + D; d: delay from a state's stamp until the torque computed from it is
// replaced (state age + period + reaction). r = q + max(qd, 0)^2 / (2 beta) is where the joint
// stops when nothing but the worst happens.
//  1. While a = -B acts, qdd <= -beta: r does not grow (qd > 0: r' = qd (1 + qdd / beta) <= 0; qd
//  <= 0: r' = qd <= 0).
//  2. The law applies a = -B whenever r could pass q_max before the next torque acts: with v =
//  measured qd + qd_error +
//     A d > 0, when  q_measured + q_error + v d + v^2 / (2 beta) >= q_max.  Otherwise r <= q_max
//     until then; with v <= 0 the joint surely moves away all that time, and r does not grow.
//  3. So once braking begins with r <= q_max, r <= q_max for ever: the joint never passes its
//  range.
//  4. Above rest_speed = max(B / damping, qd_error + A d) + qd_error + A d even the stale, measured
//  rate gives a = -B, also
//     beside the other end (moving away surely, no push): the rate falls at beta or faster; below
//     it, it stays below.
// Hold phase, from the state's stamp until braking surely acts: u or `previous` acts, qdd = a_u +
// M^-1 (gap + w + error); BoundHold gives the rate's largest change. Certified means: r after the
// hold <= q_max, on both sides. q_max and q_min are the ends of the range less kRound, so that
// rounding cannot turn a proof at the very end around.

namespace saferl::robot {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int kBrakeSamples = 3;
constexpr double kRound = 1e-6;  // [rad]

Status Bad(const std::string& field, const std::string& problem) {
  return absl::InvalidArgumentError(Cat(field, ": ", problem));
}
bool Positive(double x) { return std::isfinite(x) && x > 0; }
bool NotNegative(double x) { return std::isfinite(x) && x >= 0; }

bool Finite(const Joints& v) {
  return std::all_of(v.begin(), v.begin() + kExoJoints, [](double x) { return std::isfinite(x); });
}

}  // namespace

StatusOr<std::shared_ptr<const Exoskeleton>> Exoskeleton::Create(const ExoskeletonConfig& c) {
  if (!Positive(c.period_s)) return Bad("period_s", "must be above 0; give the control period");
  if (!NotNegative(c.reaction_s)) return Bad("reaction_s", "must be 0 or more");
  if (!NotNegative(c.state_age_s)) return Bad("state_age_s", "must be 0 or more");
  if (c.reaction_s + c.state_age_s > c.period_s)
    return Bad(
        "reaction_s",
        "with state_age_s it must not exceed period_s: older torques would still be on their way");
  const LegData& leg = c.leg;
  for (const double x :
       {leg.hip_height_m, leg.hip_half_width_m, leg.thigh_length_m, leg.shank_length_m,
        leg.thigh_mass_kg, leg.shank_mass_kg, leg.thigh_com_m, leg.shank_com_m,
        leg.thigh_inertia_kg_m2, leg.shank_inertia_kg_m2, leg.thigh_radius_m, leg.shank_radius_m}) {
    if (!Positive(x)) return Bad("leg", "every length, mass and inertia must be above 0");
  }
  if (!Positive(c.damping_1_s)) return Bad("braking.damping_1_s", "must be above 0");
  if (!Positive(c.soft_rad)) return Bad("braking.soft_rad", "must be above 0");
  if (c.damping_1_s * (c.period_s + c.reaction_s + c.state_age_s) > 0.7)
    return Bad("braking.damping_1_s",
               "is too strong for the delay: keep it below 0.7 / (period + reaction + state age)");
  for (int j = 0; j < kExoJoints; ++j) {
    const Limits& l = c.limits;
    if (!(l.q_lower[j] < l.q_upper[j] && std::abs(l.q_lower[j]) < 3 && std::abs(l.q_upper[j]) < 3))
      return Bad("limits.angle_min_rad", "must be below angle_max_rad, both inside (-3, 3)");
    if (!(Positive(l.qd_max[j]) && Positive(l.effort_max[j]) && Positive(l.power_max[j]) &&
          Positive(l.command_rate[j]) && Positive(l.brake[j])))
      return Bad("limits", "speeds, torques, powers, rates and brakes must be above 0");
    if (!(NotNegative(c.q_error[j]) && NotNegative(c.qd_error[j]) &&
          NotNegative(c.tracking_error[j])))
      return Bad("uncertainty", "must be 0 or more");
  }
  auto model = std::make_shared<const Exoskeleton>(c);
  for (int j = 0; j < 2; ++j) {
    const double left = model->limits().brake[j];
    if (!(left > 0)) {
      return Bad("limits.brake_rad_s2",
                 Cat(j == 0 ? "hip" : "knee", ": ", c.limits.brake[j],
                     " rad/s^2 does not beat the worst ", model->disturbance()[j],
                     " rad/s^2 of wearer, model error and delay; raise it, or "
                     "lower wearer_torque_nm, speed_max_rad_s or the delays"));
    }
  }
  if (!model->brake_beats_wearer_)
    return Bad(
        "limits.speed_max_rad_s",
        "lies below the speed that damping brakes to for sure; raise damping_1_s or the limit");
  return model;
}

/// How fast the joints of a leg can be from the state's stamp until braking surely acts.
struct Exoskeleton::HoldBound {
  double fastest[2], slowest[2];  ///< largest and smallest rate [rad/s]
};

/// Where the joints can get until rest.
struct Exoskeleton::Envelope {
  double brake_s = 0;              ///< longest braking after the hold
  Joints fastest{}, slowest{};     ///< rates when braking begins, at least +-rest speed
  Joints high_held{}, low_held{};  ///< angles when braking begins
  Joints high_end{}, low_end{};    ///< angles for ever after
  std::array<bool, kExoJoints> inside_up{},
      inside_down{};  ///< r after the hold lies inside the range
};

Exoskeleton::HoldBound Exoskeleton::BoundHold(int leg, const RobotState& state,
                                              const Joints& previous, const Joints& command) const {
  const int first = 2 * leg;
  const LegDynamics at = Dynamics(leg, state.q, state.qd);
  double nominal[2], gap[2], wobble[2] = {0, 0};
  for (int i = 0; i < 2; ++i) {
    nominal[i] = at.inverse[i][0] * (command[first] - at.bias[0]) +
                 at.inverse[i][1] * (command[first + 1] - at.bias[1]);
    gap[i] = std::abs(previous[first + i] - command[first + i]);
  }
  // The wobble |qdd - nominal| without the gap bounds itself through the speeds reached: iterate,
  // then require it.
  double gap_push[2] = {0, 0}, next[2] = {0, 0};
  const auto evaluate = [&](const double guess[2]) {
    double speed[2], dq[2], dqd[2], magnitude[2], error[2];
    for (int i = 0; i < 2; ++i) {
      magnitude[i] = std::abs(nominal[i]);
      dqd[i] = qd_error_[i] + (magnitude[i] + gap_push[i] + guess[i]) * delay_s_;
      speed[i] = std::abs(state.qd[first + i]) + dqd[i];
      dq[i] = q_error_[i] + speed[i] * delay_s_;
    }
    const Spread spread = SpreadAt(state.q[first + 1], dq[1]);
    ErrorTorque(spread, speed, dq, dqd, magnitude, error);
    for (int i = 0; i < 2; ++i) {
      gap_push[i] = spread.inverse[i][0] * gap[0] + spread.inverse[i][1] * gap[1];
      next[i] = spread.inverse[i][0] * (tracking_error_[0] + error[0]) +
                spread.inverse[i][1] * (tracking_error_[1] + error[1]);
    }
  };
  for (int pass = 0; pass < 4; ++pass) {
    evaluate(wobble);
    for (int i = 0; i < 2; ++i) wobble[i] = next[i];
  }
  double room[2] = {1.02 * wobble[0], 1.02 * wobble[1]};
  evaluate(room);
  const bool holds = next[0] <= room[0] && next[1] <= room[1];
  HoldBound bound;
  for (int i = 0; i < 2; ++i) {
    const double stray = qd_error_[i] + room[i] * delay_s_ +
                         gap_push[i] * (reaction_s_ + state_age_s_) + (holds ? 0.0 : kNan);
    const double end = nominal[i] * delay_s_;
    bound.fastest[i] = state.qd[first + i] + std::max(0.0, end) + stray;
    bound.slowest[i] = state.qd[first + i] + std::min(0.0, end) - stray;
  }
  return bound;
}

void Exoskeleton::BoundBraking(const RobotState& state, const HoldBound hold[kExoLegs],
                               Envelope* envelope) const {
  Envelope& e = *envelope;
  e.brake_s = 0;
  for (int j = 0; j < kExoJoints; ++j) {
    const double beta = limits_.brake[j], rest = rest_speed_[j];
    const double q_max = limits_.q_upper[j] - kRound, q_min = limits_.q_lower[j] + kRound;
    const double up = hold[j / 2].fastest[j % 2], down = hold[j / 2].slowest[j % 2];
    e.fastest[j] = up < rest ? rest : up;
    e.slowest[j] = down > -rest ? -rest : down;
    e.high_held[j] = state.q[j] + q_error_[j] + e.fastest[j] * delay_s_;
    e.low_held[j] = state.q[j] - q_error_[j] + e.slowest[j] * delay_s_;
    e.brake_s = std::max({e.brake_s, (e.fastest[j] - rest) / beta, (-e.slowest[j] - rest) / beta});
    // Where it stops at last, r after the hold; and for ever the end of the range, where r lies
    // inside it.
    const double r_up = e.high_held[j] + (up > 0 ? up * up / (2 * beta) : 0.0);
    const double r_down = e.low_held[j] - (down < 0 ? down * down / (2 * beta) : 0.0);
    const double poison = beta > 0 ? 0.0 * (r_up + r_down) : kNan;
    e.inside_up[j] = r_up <= q_max;
    e.inside_down[j] = r_down >= q_min;
    e.high_end[j] = (e.inside_up[j] ? q_max : r_up) + poison;
    e.low_end[j] = (e.inside_down[j] ? q_min : r_down) + poison;
  }
}

void Exoskeleton::BoundEffort(const ManoeuvreSample& sample, int leg, double effort[2]) const {
  const int hip = 2 * leg, knee = hip + 1;
  const double p = std::abs(sample.qd[hip]) + sample.qd_tube[hip] + qd_error_[hip];
  const double r = std::abs(sample.qd[knee]) + sample.qd_tube[knee] + qd_error_[knee];
  const double dq[2] = {sample.q_tube[hip] + q_error_[hip], sample.q_tube[knee] + q_error_[knee]};
  const Spread spread = SpreadAt(sample.q[knee], dq[1]);
  const double* brake = config_.limits.brake.data() + hip;
  const double coupling = beta_ + gamma_ * spread.cosine;
  const double shank =
      shank_gravity_ *
      std::min(1.0, std::abs(std::sin(sample.q[hip] - sample.q[knee])) + dq[0] + dq[1]);
  const double thigh = hip_gravity_ * std::min(1.0, std::abs(std::sin(sample.q[hip])) + dq[0]);
  effort[0] = (alpha_ + beta_ + 2 * gamma_ * spread.cosine) * brake[0] + coupling * brake[1] +
              gamma_ * spread.sine * (r * r + 2 * p * r) + thigh + shank;
  effort[1] = coupling * brake[0] + beta_ * brake[1] + gamma_ * spread.sine * p * p + shank;
}

void Exoskeleton::Predict(const RobotState& state, const Joints& previous, const Joints& command,
                          Manoeuvre* manoeuvre) const {
  Manoeuvre& m = *manoeuvre;
  const bool finite = Finite(state.q) && Finite(state.qd) && Finite(previous) && Finite(command);
  HoldBound hold[kExoLegs];
  for (int leg = 0; leg < kExoLegs; ++leg) {
    hold[leg] =
        finite ? BoundHold(leg, state, previous, command) : HoldBound{{kNan, kNan}, {kNan, kNan}};
  }
  Envelope e;
  BoundBraking(state, hold, &e);
  m.at_rest = false;  // the wearer always moves
  m.stop_time_s = hold_s() + e.brake_s;
  m.n = e.brake_s > 0 ? 1 + kBrakeSamples : 1;
  for (int k = 0; k < m.n; ++k) {
    ManoeuvreSample& s = m.sample[k];
    const double begin = k == 0 ? 0.0 : e.brake_s * (k - 1) / kBrakeSamples;
    const double end = k == 0 ? 0.0 : e.brake_s * k / kBrakeSamples;
    s.t_begin_s = k == 0 ? 0.0 : hold_s() + begin;
    s.t_end_s = hold_s() + end;
    for (int j = 0; j < kExoJoints; ++j) {
      const double beta = limits_.brake[j], rest = rest_speed_[j];
      const double v_up = e.fastest[j] - beta * begin < rest ? rest : e.fastest[j] - beta * begin;
      const double v_down =
          e.slowest[j] + beta * begin > -rest ? -rest : e.slowest[j] + beta * begin;
      // Way until `end`: falling at beta down to the rest speed, then at most at it.
      const auto way = [&](double v) {
        const double falling = std::min(end, (v - rest) / beta);
        return falling * (v - 0.5 * beta * falling) + (end - falling) * rest;
      };
      const double high_then = e.high_held[j] + way(e.fastest[j]),
                   low_then = e.low_held[j] - way(-e.slowest[j]);
      const double high = e.inside_up[j] && high_then < e.high_end[j] ? high_then : e.high_end[j];
      const double low = e.inside_down[j] && low_then > e.low_end[j] ? low_then : e.low_end[j];
      s.q[j] = 0.5 * (high + low);
      s.q_tube[j] = 0.5 * (high - low);
      s.qd[j] = 0.5 * (v_up + v_down);
      s.qd_tube[j] = 0.5 * (v_up - v_down);
    }
    for (int leg = 0; leg < kExoLegs; ++leg) FinishLeg(leg, k == 0, previous, command, &s);
    Place(s.q, &s.placement);
  }
}

/// Torques, reach and speed of one leg from the intervals of its joints.
void Exoskeleton::FinishLeg(int leg, bool held, const Joints& previous, const Joints& command,
                            ManoeuvreSample* sample) const {
  ManoeuvreSample& s = *sample;
  const int hip = 2 * leg, knee = hip + 1;
  double effort[2];
  BoundEffort(s, leg, effort);
  for (int i = 0; i < 2; ++i) {
    const double driven =
        held ? std::max(std::abs(previous[hip + i]), std::abs(command[hip + i])) : 0.0;
    s.effort[hip + i] = driven > effort[i] ? driven : effort[i];
  }
  const double thigh = config_.leg.thigh_length_m + config_.leg.thigh_radius_m;
  const double shank = config_.leg.shank_length_m + config_.leg.shank_radius_m;
  const double p = std::abs(s.qd[hip]) + s.qd_tube[hip], r = std::abs(s.qd[knee]) + s.qd_tube[knee];
  s.reach_m[hip] = s.q_tube[hip] * thigh;
  s.speed_m_s[hip] = p * thigh;
  s.reach_m[knee] = s.q_tube[hip] * (config_.leg.thigh_length_m + shank) + s.q_tube[knee] * shank;
  s.speed_m_s[knee] = p * (config_.leg.thigh_length_m + shank) + r * shank;
}

double Exoskeleton::BrakeAcceleration(int j, double q, double qd) const {
  const double b = config_.limits.brake[j], beta = limits_.brake[j];
  const double stale = qd_error_[j] + (b + disturbance_[j]) * delay_s_;
  // How much of the full push back an end of the range needs: `gap` to it, `v` the fastest rate
  // toward it.
  const auto push = [&](double gap, double v) {
    if (!(v > 0)) return 0.0;
    const double left = gap - q_error_[j] - v * delay_s_ - v * v / (2 * beta);
    return std::clamp(1.0 - left / config_.soft_rad, 0.0, 1.0);
  };
  const double damping = std::clamp(-config_.damping_1_s * qd, -b, b);
  const double up = push(limits_.q_upper[j] - kRound - q, qd + stale);
  const double down = push(q - limits_.q_lower[j] - kRound, stale - qd);
  if (up >= down) return (1 - up) * damping - up * b;
  return (1 - down) * damping + down * b;
}

Joints Exoskeleton::Brake(const RobotState& state, const Joints& previous) const {
  Joints u{};
  if (!Finite(state.q) || !Finite(state.qd)) {
    // Blind: keep the torque that held the legs so far; the caller stops on the bad state.
    if (Finite(previous)) std::copy_n(previous.begin(), kExoJoints, u.begin());
    return u;
  }
  for (int leg = 0; leg < kExoLegs; ++leg) {
    const LegDynamics d = Dynamics(leg, state.q, state.qd);
    const int hip = 2 * leg, knee = hip + 1;
    const double a[2] = {BrakeAcceleration(hip, state.q[hip], state.qd[hip]),
                         BrakeAcceleration(knee, state.q[knee], state.qd[knee])};
    for (int i = 0; i < 2; ++i) {
      const double wanted = d.mass[i][0] * a[0] + d.mass[i][1] * a[1] + d.bias[i];
      u[hip + i] = std::clamp(wanted, -limits_.effort_max[hip + i], limits_.effort_max[hip + i]);
    }
  }
  return u;
}

void Exoskeleton::Place(const Joints& q, Placement* placement) const {
  const LegData& l = config_.leg;
  placement->n_links = kExoJoints;
  for (int leg = 0; leg < kExoLegs; ++leg) {
    const double thigh = q[2 * leg], shank = thigh - q[2 * leg + 1];
    const math::Vec3 hip{0, leg == 0 ? -l.hip_half_width_m : l.hip_half_width_m, l.hip_height_m};
    const math::Vec3 knee =
        hip + l.thigh_length_m * math::Vec3{std::sin(thigh), 0, -std::cos(thigh)};
    const math::Vec3 ankle =
        knee + l.shank_length_m * math::Vec3{std::sin(shank), 0, -std::cos(shank)};
    placement->link_W[2 * leg] = {hip, knee, l.thigh_radius_m};
    placement->link_W[2 * leg + 1] = {knee, ankle, l.shank_radius_m};
  }
}

double Exoskeleton::Clearance(const Placement& placement, std::span<const math::Capsule> obstacles,
                              std::span<const double> reach_m, double enough_m) const {
  return LinkClearance(placement, obstacles, reach_m, enough_m);
}

int Exoskeleton::Near(const RobotState&, const Placement& placement,
                      std::span<const math::Capsule> obstacles, double horizon_m,
                      std::span<Nearness> out) const {
  std::array<NearPair, kMaxNearPairs> pairs;
  const int capacity = std::min(kMaxNearPairs, static_cast<int>(out.size()));
  const int n = NearestPairs(placement, obstacles, horizon_m, capacity, pairs);
  for (int i = 0; i < n; ++i) {
    out[i] = Nearness{};
    out[i].distance_m = pairs[i].distance_m;
    out[i].link = pairs[i].link;
    out[i].obstacle = pairs[i].obstacle;
    // Hip flexion turns about -y through the hip, knee flexion about +y through the knee.
    const int hip = pairs[i].link / 2 * 2;
    const math::Vec3 y{0, 1, 0};
    const math::Vec3 from_hip = pairs[i].on_link_W - placement.link_W[hip].a;
    const math::Vec3 from_knee = pairs[i].on_link_W - placement.link_W[hip].b;
    out[i].gradient[hip] = math::Dot(pairs[i].direction_W, math::Cross(y, from_hip));
    if (pairs[i].link != hip)
      out[i].gradient[hip + 1] = -math::Dot(pairs[i].direction_W, math::Cross(y, from_knee));
  }
  return n;
}

}  // namespace saferl::robot
