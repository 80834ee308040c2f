// The arm's braking sweep.
//
// Path time runs from the state's stamp: age a before `now`, so hold' = hold + a, reaction' =
// reaction + a. Truth:   rates lambda u + d, sigma = integral of lambda; nominal: q0 + u sigma from
// the measured q0. Per joint
//   |q - q_nominal|_j <= delta_j = q_error_j + deviation_j.integral + tracking_j t [BoundDeviation]
// A point p of link k:
//   off the path   |p(q) - p(q_nominal)| <= sum_j delta_j Lever(k, j)                [mean value,
//   |dp/dq_j| <= lever] along the path |p(sigma) - p(middle)| <= h V_k + h^2/2 A_k,  h = half of
//   the sample's stretch,
//     V_k = speed at the middle for rates u, A_k bounds |d2p/dsigma2|: the second derivative of the
//     kinematics is d2p/dq_i dq_j = a_i x (a_j x (p - o_j)) for i <= j, at most Lever(k, j), so A_k
//     = sum_j |u_j| Lever(k, j) (|u_j| + 2 sum_(i<j) |u_i|).
// Speed in the stretch: share (V_k + h A_k) + share sum_i,j |u_i| delta_j Lever + sum_j |d_j|
// Lever(k, j): the first term along the path, the second because the true pose is off it, the third
// for rates off the command.

#include <algorithm>
#include <cmath>
#include <limits>

#include "saferl/robot/arm.h"
#include "saferl/robot/brake_path.h"

namespace saferl::robot {
namespace {

constexpr int kMaxArmSamples = 6;
/// A sample covers at most this much of the fastest point's path to either side, while samples last
/// [m].
constexpr double kHalfSpacing = 0.008;

bool Finite(const Joints& v, int n) {
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += v[i] * 0.0;
  return sum == 0.0;
}

}  // namespace

void Arm::Predict(const RobotState& state, const Joints& previous, const Joints& command,
                  Manoeuvre* manoeuvre) const {
  Manoeuvre& m = *manoeuvre;
  const bool finite =
      Finite(state.q, n_) && Finite(state.qd, n_) && Finite(previous, n_) && Finite(command, n_);
  const double reaction = reaction_s_ + state_age_s_;
  const double rho = finite ? BrakeShare(command) : std::numeric_limits<double>::infinity();
  const bool still = std::isinf(rho);
  const BrakePath path{hold_s() + state_age_s_, rho, hold_s() + period_s_ + state_age_s_};
  const double in_flight = InFlight(reaction, period_s_);
  std::array<Deviation, kMaxDof> deviation;
  double settled_s = 0;
  m.at_rest = finite;
  for (int j = 0; j < n_; ++j) {
    const double step = std::max(limits_.command_rate[j], limits_.brake[j]) * period_s_;
    const double slew = std::min(limits_.command_rate[j], limits_.brake[j]);
    const double excess =
        std::abs(state.qd[j] - previous[j]) - qd_error_[j] - tracking_error_[j] - step * in_flight;
    deviation[j] = BoundDeviation(previous[j] - command[j], std::max(0.0, excess), step, slew,
                                  reaction, period_s_);
    settled_s = std::max(settled_s, deviation[j].lasts_s);
    m.at_rest = m.at_rest && command[j] == 0.0 && previous[j] == 0.0 &&
                std::abs(state.qd[j]) <= qd_error_[j];
  }
  const double moves_s = std::max(still ? 0.0 : path.stop_time(), settled_s);
  m.stop_time_s = m.at_rest ? 0.0 : moves_s - state_age_s_;

  const double length = still ? 0.0 : path.length();
  LinkMotion motion;
  BoundAcceleration(command, &motion);
  m.n = 1;
  ArmPose pose;
  for (int i = 0; i < m.n; ++i) {
    ManoeuvreSample& s = m.sample[i];
    const double begin = length * i / m.n, end = length * (i + 1) / m.n, half = 0.5 * (end - begin);
    const double poison = finite ? 0.0 : std::numeric_limits<double>::quiet_NaN();
    s.q = {};
    for (int j = 0; j < n_; ++j) s.q[j] = state.q[j] + command[j] * 0.5 * (begin + end) + poison;
    ForwardKinematics(s.q, &pose);
    PlaceLinks(pose, &s.placement);
    BoundSpeed(pose, s.placement, command, &motion);
    if (i == 0 && m.n == 1 && !still && finite) {
      // The first, widest stretch tells how many are needed; then start over.
      double way = 0;
      for (int k = 0; k < n_links_; ++k)
        way = std::max(way, half * motion.speed[k] + 0.5 * half * half * motion.acceleration[k]);
      const double wanted = std::ceil(way / kHalfSpacing);
      if (wanted > 1) {
        m.n = static_cast<int>(std::min<double>(wanted, kMaxArmSamples));
        i = -1;
        continue;
      }
    }
    const double from = still ? 0.0 : path.earliest(begin);
    const double until = i + 1 == m.n ? moves_s : std::max(path.latest(end), settled_s);
    const double share = still ? 0.0 : path.share(begin);
    s.t_begin_s = std::max(0.0, from - state_age_s_);
    s.t_end_s = until - state_age_s_;
    Joints delta{}, stray{};
    for (int j = 0; j < n_; ++j) {
      delta[j] = q_error_[j] + deviation[j].integral + tracking_error_[j] * until;
      s.q_tube[j] = delta[j] + half * std::abs(command[j]);
      stray[j] = tracking_error_[j] + (from < deviation[j].lasts_s ? deviation[j].rate : 0.0);
      // Any share of the command from none to `share` may act.
      s.qd[j] = 0.5 * share * command[j];
      s.qd_tube[j] = 0.5 * share * std::abs(command[j]) + stray[j];
      s.effort[j] = 0.0;
    }
    for (int k = 0; k < n_links_; ++k) {
      // inner and outer: sums of |u_i| for i < j, and of delta_i Lever for i <= j, as the double
      // sum needs them.
      double off = 0, drift = 0, bend = 0, inner = 0, delta_inner = 0;
      for (int j = 0; j <= link_joint_[k]; ++j) {
        const double lever = lever_[k][j], rate = std::abs(command[j]);
        off += delta[j] * lever;
        drift += stray[j] * lever;
        bend += lever * (rate * delta[j] + rate * delta_inner + delta[j] * inner);
        inner += rate;
        delta_inner += delta[j];
      }
      s.reach_m[k] = off + half * motion.speed[k] + 0.5 * half * half * motion.acceleration[k];
      s.speed_m_s[k] = share * (motion.speed[k] + half * motion.acceleration[k] + bend) + drift;
    }
  }
}

}  // namespace saferl::robot
