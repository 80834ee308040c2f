#pragma once
// A robot as the safety argument sees it: limits, where its body is, and what it sweeps until it
// rests when it brakes from a command. One subclass per robot (wheelchair.h, arm.h, exoskeleton.h);
// everything above this header is the same for all of them.
//
// The manoeuvre. A command u decided at time 0 acts from some moment in [0, reaction] (until then
// the previous command acts) and at most until hold = period + reaction; then the robot brakes at
// its rated deceleration along the same path (velocities shrink in proportion) until rest at
// `stop_time`. Braking earlier or harder stays on the path already swept. Predict() returns that
// sweep as samples that together cover every configuration the real robot can pass through, given
// its stated uncertainty (measurement, tracking, reaction jitter).
//
// RT: Load* no; everything const below: yes (no allocation, bounded loops, total: NaN in gives NaN
// margins, which the filter treats as "not certified"). Source: DESIGN section 6; ISO 13855 (K),
// ISO/TS 15066 5.5.4 (S_p).

#include <memory>
#include <span>
#include <string>

#include "saferl/base/status.h"
#include "saferl/robot/types.h"

namespace saferl::robot {

enum class Kind : uint8_t { kWheelchair, kArm, kExoskeleton };

/// Actuator and joint limits. All arrays (n); +-inf where a robot has no such limit.
struct Limits {
  Joints command_lower{}, command_upper{};  ///< [command unit]
  Joints command_rate{};  ///< |u_k - u_(k-1)| / period while driving [command unit / s]
  Joints brake{};  ///< rated deceleration [command unit / s]; exoskeleton: what is left of it
                   ///< against the worst wearer [rad/s^2]
  Joints q_lower{}, q_upper{};  ///< position range [rad]
  Joints qd_max{};              ///< speed [rad/s]
  Joints effort_max{};          ///< torque [Nm]
  Joints power_max{};           ///< mechanical power per joint [W]
};

/// A turning joint in W.
struct Axis {
  math::Vec3 origin_W, direction_W;
};

/// Where the body is at one configuration.
struct Placement {
  int n_links = 0;
  std::array<math::Capsule, kMaxLinks>
      link_W{};                       ///< arm: link capsules; exoskeleton: limb capsules
  std::array<Axis, kMaxDof> joint{};  ///< arm: from Place() only, not in a manoeuvre's samples
  double x = 0, y = 0, yaw = 0;       ///< wheelchair: planar pose of its rectangle
  double cos_yaw = 1, sin_yaw = 0;
};

/// One stretch of the braking manoeuvre: all configurations between t_begin and t_end.
struct ManoeuvreSample {
  double t_begin_s = 0, t_end_s = 0;  ///< from the tick's `now`
  Joints q{};                         ///< nominal configuration in the middle of the stretch
  Joints q_tube{};                    ///< |true q - q| <= q_tube during the stretch
  Joints qd{};                        ///< middle of the rates in the stretch
  Joints qd_tube{};                   ///< |true qd - qd| <= qd_tube: |qd| + qd_tube is the fastest
  Joints effort{};                    ///< largest |joint torque| needed [Nm] (0 where not modelled)
  std::array<double, kMaxLinks>
      reach_m{};  ///< any point of link i stays this near its place at q [m]
  std::array<double, kMaxLinks> speed_m_s{};  ///< largest speed of any point of link i [m/s]
  Placement placement;                        ///< the body at q
};

inline constexpr int kMaxSamples = 16;

/// The sweep from now to rest. Written by Predict().
struct Manoeuvre {
  int n = 0;
  bool at_rest = false;    ///< told to stand still and measured so; an exoskeleton never is
  double stop_time_s = 0;  ///< from `now` until certain rest, hold included
  std::array<ManoeuvreSample, kMaxSamples> sample{};
};

/// A shape near the robot and how its distance changes with the command.
struct Nearness {
  double distance_m = 0;  ///< surface to surface, now
  Joints gradient{};  ///< d(distance)/dt = gradient . u for a resting obstacle (velocity-commanded
                      ///< robots)
  int link = 0;
  int obstacle = 0;  ///< index into the caller's span
};

/// A number in the robot file replaced after it was read and range-checked: only for provers'
/// mutants and tests.
struct Override {
  std::string key;  ///< dotted path, e.g. "reaction_s" or "limits.brake"; a list gets the value in
                    ///< every entry
  double value = 0;
};

class RobotModel {
 public:
  virtual ~RobotModel() = default;

  Kind kind() const { return kind_; }
  const std::string& name() const { return name_; }
  int n() const { return n_; }  ///< command components
  int n_links() const { return n_links_; }
  double period_s() const { return period_s_; }      ///< control period T
  double reaction_s() const { return reaction_s_; }  ///< tau: transport and actuator, worst case
  double hold_s() const { return period_s_ + reaction_s_; }  ///< valid_for of every command
  double state_age_s() const {
    return state_age_s_;
  }  ///< oldest measured state that Predict() is proved for
  const Limits& limits() const { return limits_; }
  Joints state_error_q() const { return q_error_; }  ///< |measured - true| of q
  Joints state_error_qd() const { return qd_error_; }
  Joints tracking_error() const {
    return tracking_error_;
  }  ///< |true rate - acting command|; exoskeleton: torque [Nm]

  /// Where the body is at q.
  virtual void Place(const Joints& q, Placement* placement) const = 0;

  /// What is swept from `state` when `command` follows `previous` and then the robot brakes to
  /// rest.
  virtual void Predict(const RobotState& state, const Joints& previous, const Joints& command,
                       Manoeuvre* manoeuvre) const = 0;

  /// The next command of the rated braking law after `previous`: the stored plan's next step.
  /// Velocity robots: previous scaled toward zero. Exoskeleton: damping with gravity held, from the
  /// measured state.
  virtual Joints Brake(const RobotState& state, const Joints& previous) const = 0;

  /// Smallest distance from the placed body to any obstacle; `reach_m[link]` is subtracted per
  /// link. May return any value above `enough_m` once it knows that the true one is above it (early
  /// out).
  virtual double Clearance(const Placement& placement, std::span<const math::Capsule> obstacles,
                           std::span<const double> reach_m, double enough_m) const = 0;

  /// Smallest distance between everything that the manoeuvre sweeps and any obstacle, whose radius
  /// grows by grown_m[obstacle] (empty: none); what Clearance says over all samples, in one pass
  /// that looks only where it can matter. Distances above enough_m are reported as that. NaN in,
  /// NaN out.
  virtual double SweepClearance(const Manoeuvre& manoeuvre,
                                std::span<const math::Capsule> obstacles,
                                std::span<const double> grown_m, double enough_m) const;

  /// The nearest (link, obstacle) pairs within `horizon_m`, nearest first, at most out.size() and
  /// at most 32; returns the count. `placement` is what Place() wrote.
  virtual int Near(const RobotState& state, const Placement& placement,
                   std::span<const math::Capsule> obstacles, double horizon_m,
                   std::span<Nearness> out) const = 0;

 protected:
  Kind kind_ = Kind::kArm;
  std::string name_;
  int n_ = 0, n_links_ = 0;
  double period_s_ = 0, reaction_s_ = 0, state_age_s_ = 0;
  Limits limits_;
  Joints q_error_{}, qd_error_{}, tracking_error_{};
};

/// Reads data/robots/<name>.yaml, or a path to such a file. Errors name file, line, field and the
/// fix.
StatusOr<std::shared_ptr<const RobotModel>> LoadRobot(const std::string& name_or_path,
                                                      std::span<const Override> overrides = {});

}  // namespace saferl::robot
