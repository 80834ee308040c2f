#pragma once
// A constraint: one physical promise (a distance, a torque, a joint range). One file each.
//
// Each constraint says two things about the same promise:
//   AddRows - linear rows A u <= b that steer the QP gently away from it (quality; never trusted),
//   and Margin  - how far the whole braking manoeuvre stays inside it (the proof). Margin >= 0 on
//   every constraint,
//             on every sample, is what "certified" means.
// RT: yes. Total: a NaN margin counts as a violation.
// Source: DESIGN section 6.

#include <array>
#include <cstdint>
#include <string_view>

#include "saferl/math/qp.h"
#include "saferl/robot/robot_model.h"

namespace saferl::safety {

enum class ConstraintId : uint8_t {
  kJointPosition,
  kJointVelocity,
  kAcceleration,
  kTorque,
  kPower,
  kWorkspace,
  kKeepOut,
  kSeparation,
  kContact,
  kTipOver,
  kInteractionForce,
  kCount,
};
inline constexpr int kNumConstraints = static_cast<int>(ConstraintId::kCount);
std::string_view Name(ConstraintId id);

/// What people may do, as configured (the assumptions of Theorem 2). Read by separation and
/// contact.
struct HumanModel {
  double body_speed_m_s = 1.6;   ///< v_h, ISO 13855 K for walking
  double reach_speed_m_s = 2.0;  ///< v_h of a reaching arm, ISO 13855
  double error_m = 0.05;         ///< epsilon: |measured - true| of any point of a part (Z_d)
  double intrusion_m = 0.0;      ///< C, ISO 13855 intrusion distance
};

/// One tick's view, assembled once by the filter before any constraint runs.
struct Situation {
  const robot::RobotModel* robot = nullptr;
  const robot::Observation* observation = nullptr;
  const HumanModel* human = nullptr;
  int64_t now_ns = 0;
  bool state_usable = false;   ///< not older than Predict() is proved for, nor from the future
  robot::Joints previous{};    ///< last command that left
  robot::Joints wanted{};      ///< the wish, clamped to the limits: rows are shaped for it
  robot::Joints candidate{};   ///< the command under proof (written before every Margin round)
  robot::Joints brake{};       ///< the braking command of this tick
  robot::Placement placement;  ///< the body at the measured configuration
  double creep_reach_m = 0;  ///< tube of the slowest sweep there is: rows stay this far off on top
  double base_radius_m =
      0;  ///< circle around a wheeled base's footprint; unused where placement has links
  int n_people = 0;
  /// The people of the observation: measured capsules, their v_h, and the radius already gained by
  /// now (epsilon + v_h * age); the growth until the manoeuvre's stop is added by the constraint.
  std::array<math::Capsule, robot::kMaxParts> part_W{};
  std::array<double, robot::kMaxParts> part_speed_m_s{};
  std::array<double, robot::kMaxParts> part_grown_m{};
  std::array<robot::Region, robot::kMaxParts> part_region{};
  /// Static obstacles near the robot, in W: the lidar's polygon (capsules of the lidar's error) and
  /// keep-out shapes. Shapes farther than static_reach_m from static_center_W are left out; a
  /// manoeuvre that leaves this disc is not proved.
  int n_static = 0;
  math::Vec3 static_center_W;
  double static_reach_m = 0;
  std::array<math::Capsule, robot::kMaxLidar + 32> static_W{};
  /// Where each beam points in the body frame; filled anew when the number of beams changes.
  int n_beams = 0;
  std::array<double, robot::kMaxLidar> beam_cos{}, beam_sin{};
};

/// Rows for the QP: a' u <= b, with the constraint each came from.
struct RowSet {
  int n = 0;
  std::array<std::array<double, robot::kMaxDof>, math::kQpMaxRows> a{};
  std::array<double, math::kQpMaxRows> b{};
  std::array<ConstraintId, math::kQpMaxRows> source{};

  /// Adds a row; silently full at 64 is not possible: callers add nearest first and the filter
  /// reserves space.
  bool Add(const robot::Joints& row, double bound, ConstraintId id) {
    if (n >= math::kQpMaxRows) return false;
    a[n] = row;
    b[n] = bound;
    source[n++] = id;
    return true;
  }
};

class Constraint {
 public:
  virtual ~Constraint() = default;
  virtual ConstraintId id() const = 0;
  /// Rows that keep the next state comfortably inside.
  virtual void AddRows(const Situation& situation, RowSet* rows) const = 0;
  /// Worst margin over the manoeuvre in the constraint's unit [m, rad, rad/s, Nm, W, N]; >= 0 is
  /// inside.
  virtual double Margin(const Situation& situation, const robot::Manoeuvre& manoeuvre) const = 0;
};

}  // namespace saferl::safety
