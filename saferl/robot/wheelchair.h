#pragma once
// Powered wheelchair: differential drive with a rectangular footprint.
//
// q = (x, y, yaw) [m, m, rad] of the point between the driven wheels, in W. Command u = (v, omega)
// [m/s, rad/s]; v forward, omega counter-clockwise. Body frame B: x forward, y left, z up, origin
// on the floor below q. Braking law: (v, omega) shrink in proportion, so that the curvature is
// kept:
//   lambda' = -rho = -min(brake_v / |v|, brake_omega / |omega|)     [1/s]
// Predict: an arc from the measured pose, at most kMaxSamples samples; the tube is derived in
// wheelchair.cc. Obstacles count by their shadow on the floor (height ignored): never too far,
// sometimes too near.
//
// Assumed of the real chair (data/robots/wheelchair.yaml states the numbers; a breach must be
// detected above):
//   pose and rates measured within q_error and qd_error, at most state_age_s ago; commands act
//   within reaction_s in the order in which they were issued and differ by at most max(rate, brake)
//   * period from one to the next; while the acting command is not zero, |true rate - acting
//   command| <= tracking_error; braking is at least rated.
// RT: yes, all but Create. Cost: Predict about 0.5 us; Clearance about 5 ns a far obstacle.
// Source: DESIGN section 6; derivation in wheelchair.cc and brake_path.h.

#include <memory>

#include "saferl/base/status.h"
#include "saferl/robot/robot_model.h"

namespace saferl::robot {

/// Where the chair tips: the centre of mass above its rectangle of support.
struct TipOverData {
  double com_height_m = 0;  ///< centre of mass above the floor, with rider
  double front_m = 0;       ///< from the centre of mass forward to the line of the front wheels
  double rear_m = 0;        ///< backward to the line of the rear wheels
  double side_m = 0;        ///< sideways to the wheel's contact
};

/// Everything a file says about a chair. Arrays in command order (v, omega); q_error in q order (x,
/// y, yaw).
struct WheelchairConfig {
  std::string name = "wheelchair";
  double period_s = 0, reaction_s = 0, state_age_s = 0;
  Limits limits;  ///< command_*, brake: (v, omega); the joint limits stay infinite
  Joints q_error{}, qd_error{}, tracking_error{};
  math::Rectangle footprint;  ///< in B [m]
  TipOverData tip_over;
  double mass_kg = 0;   ///< chair and rider, for contact energy
  math::Vec3 p_BLidar;  ///< origin of the lidar in B [m]
};

class Wheelchair final : public RobotModel {
 public:
  /// Fails with a message that names the field when a number cannot belong to a chair.
  static StatusOr<std::shared_ptr<const Wheelchair>> Create(const WheelchairConfig& config);
  /// Create without the checks: provers' mutants only.
  explicit Wheelchair(const WheelchairConfig& config);

  const WheelchairConfig& config() const { return config_; }
  const math::Rectangle& footprint() const { return config_.footprint; }
  const TipOverData& tip_over() const { return config_.tip_over; }
  /// Pose after driving a time sigma_s with the constant command u from q.
  static Joints Arc(const Joints& q, const Joints& u, double sigma_s);
  /// Share of the command that rated braking takes away each second; +inf for u = 0.
  double BrakeShare(const Joints& u) const;
  /// Largest speed of any footprint point at the twist u [m/s].
  double PointSpeed(const Joints& u) const;

  void Place(const Joints& q, Placement* placement) const override;
  void Predict(const RobotState& state, const Joints& previous, const Joints& command,
               Manoeuvre* manoeuvre) const override;
  Joints Brake(const RobotState& state, const Joints& previous) const override;
  double Clearance(const Placement& placement, std::span<const math::Capsule> obstacles,
                   std::span<const double> reach_m, double enough_m) const override;
  double SweepClearance(const Manoeuvre& manoeuvre, std::span<const math::Capsule> obstacles,
                        std::span<const double> grown_m, double enough_m) const override;
  int Near(const RobotState& state, const Placement& placement,
           std::span<const math::Capsule> obstacles, double horizon_m,
           std::span<Nearness> out) const override;

 private:
  WheelchairConfig config_;
  double corner_m_ = 0;                   ///< farthest footprint point from the origin of B
  double centre_x_m_ = 0, radius_m_ = 0;  ///< circle around the footprint, centre on B's x axis
};

}  // namespace saferl::robot
