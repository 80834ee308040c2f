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

#include "saferl/math/trig.h"
#include "saferl/robot/arm.h"
#include "saferl/robot/arm_frames.h"
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

/// Sines and cosines of q + u sigma, carried from one sigma to the next.
class JointPath {
 public:
  JointPath(const Joints& q, const Joints& u, int n, double poison) : u_(u), n_(n) {
    math::SinCos(q.data(), n, sine0_.data(), cosine0_.data());
    for (int j = 0; j < n; ++j) sine0_[j] += poison;
  }

  void GoTo(double sigma) {
    Turn(sigma);
    for (int j = 0; j < n_; ++j) {
      sine[j] = sine0_[j] * turn_cosine_[j] + cosine0_[j] * turn_sine_[j];
      cosine[j] = cosine0_[j] * turn_cosine_[j] - sine0_[j] * turn_sine_[j];
    }
  }
  void SetStep(double sigma) { Turn(sigma); }
  void Step() {
    for (int j = 0; j < n_; ++j) {
      const double s = sine[j], c = cosine[j];
      sine[j] = s * turn_cosine_[j] + c * turn_sine_[j];
      cosine[j] = c * turn_cosine_[j] - s * turn_sine_[j];
    }
  }

  Joints sine{}, cosine{};

 private:
  void Turn(double sigma) {
    Joints angle;
    for (int j = 0; j < n_; ++j) angle[j] = sigma * u_[j];
    math::SinCos(angle.data(), n_, turn_sine_.data(), turn_cosine_.data());
  }

  Joints u_;
  int n_;
  Joints sine0_{}, cosine0_{}, turn_sine_{}, turn_cosine_{};
};

}  // namespace

// Sums over the joints that move a link, taken apart in what is the same for all samples and what
// grows with the time `until`: delta_j = q_error_j + deviation_j.integral + tracking_j until.
Arm::Strays Arm::BoundStrays(const Joints& u,
                             const std::array<Deviation, kMaxDof>& deviation) const {
  Strays strays;
  for (int k = 0; k < n_links_; ++k) {
    // inner and outer: sums of |u_i| for i < j, and of delta_i, as the double sum needs them.
    double inner = 0, still_inner = 0, rate_inner = 0;
    for (int j = 0; j <= link_joint_[k]; ++j) {
      const double lever = lever_[k][j], rate = std::abs(u[j]);
      const double still = q_error_[j] + deviation[j].integral, growth = tracking_error_[j];
      strays.off[k] += still * lever;
      strays.off_rate[k] += growth * lever;
      strays.drift[k] += growth * lever;
      strays.bend[k] += lever * (rate * still + rate * still_inner + still * inner);
      strays.bend_rate[k] += lever * (rate * growth + rate * rate_inner + growth * inner);
      inner += rate;
      still_inner += still;
      rate_inner += growth;
    }
  }
  return strays;
}

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
  const double poison = finite ? 0.0 : std::numeric_limits<double>::quiet_NaN();
  const Strays strays = BoundStrays(command, deviation);
  JointPath joints(state.q, command, n_, poison);
  ArmFrames frames;
  const auto place = [&](ManoeuvreSample* sample) {
    Chain(joints.sine, joints.cosine, &frames);
    PlaceLinks(frames, &sample->placement);
    BoundSpeed(frames, sample->placement, command, &motion);
  };
  // One stretch over all of it tells how many are needed.
  joints.GoTo(0.5 * length);
  place(&m.sample[0]);
  double way = 0;
  for (int k = 0; k < n_links_ && finite; ++k)
    way = std::max(way, 0.5 * length * (motion.speed[k] + 0.25 * length * motion.acceleration[k]));
  m.n = static_cast<int>(std::clamp<double>(std::ceil(way / kHalfSpacing), 1, kMaxArmSamples));
  const double half = 0.5 * length / m.n;
  if (m.n > 1) {
    joints.GoTo(half);
    joints.SetStep(2 * half);
  }
  for (int i = 0; i < m.n; ++i) {
    ManoeuvreSample& s = m.sample[i];
    const double begin = 2 * half * i, end = 2 * half * (i + 1);
    if (i > 0) joints.Step();
    if (m.n > 1) place(&s);
    const double from = still ? 0.0 : path.earliest(begin);
    const double until = i + 1 == m.n ? moves_s : std::max(path.latest(end), settled_s);
    const double share = still ? 0.0 : path.share(begin);
    s.t_begin_s = std::max(0.0, from - state_age_s_);
    s.t_end_s = until - state_age_s_;
    s.q = s.q_tube = s.qd = s.qd_tube = s.effort = {};
    for (int j = 0; j < n_; ++j) {
      s.q[j] = state.q[j] + command[j] * 0.5 * (begin + end) + poison;
      s.q_tube[j] = q_error_[j] + deviation[j].integral + tracking_error_[j] * until +
                    half * std::abs(command[j]);
      // Any share of the command from none to `share` may act.
      s.qd[j] = 0.5 * share * command[j];
      s.qd_tube[j] = 0.5 * share * std::abs(command[j]) + tracking_error_[j] +
                     (from < deviation[j].lasts_s ? deviation[j].rate : 0.0);
    }
    for (int k = 0; k < n_links_; ++k) {
      double drift = strays.drift[k];
      for (int j = 0; j <= link_joint_[k] && from < settled_s; ++j)
        drift += from < deviation[j].lasts_s ? deviation[j].rate * lever_[k][j] : 0.0;
      s.reach_m[k] = strays.off[k] + until * strays.off_rate[k] + half * motion.speed[k] +
                     0.5 * half * half * motion.acceleration[k];
      s.speed_m_s[k] = share * (motion.speed[k] + half * motion.acceleration[k] + strays.bend[k] +
                                until * strays.bend_rate[k]) +
                       drift;
    }
  }
}

}  // namespace saferl::robot
