#pragma once
// The constraints, by name. One file each beside this header; each Make returns a const object that
// any number of filters may share. A constraint that does not apply to a robot adds no rows and has
// the margin +inf.
//
// Units: SI. Frames: W. RT: Make no (allocates once); AddRows and Margin yes.
// Errors: none here; LoadSafetyModel checks the numbers. A NaN anywhere makes the margin NaN: not
// proved. Standing still sweeps nothing: at rest every constraint on motion has the margin +inf.
// Source: DESIGN section 6; the clause of each is named beside it.

#include <array>
#include <memory>
#include <vector>

#include "saferl/safety/constraint.h"

namespace saferl::safety {

using ConstraintPtr = std::shared_ptr<const Constraint>;

/// Distances above this are reported as this: nothing farther matters to any decision [m].
inline constexpr double kReportedClearance_m = 0.5;

/// Every q of the sweep, tube included, inside q_lower..q_upper [rad]. Arm, exoskeleton.
ConstraintPtr MakeJointPosition();
/// Every rate of the sweep within qd_max [rad/s]. Arm, exoskeleton.
ConstraintPtr MakeJointVelocity();
/// The command changes by at most command_rate * period, or toward the braking command [command
/// unit].
ConstraintPtr MakeAcceleration();
/// Every torque of the sweep within effort_max [Nm]. Where torque is modelled.
ConstraintPtr MakeTorque();
/// |torque * rate| of the sweep within power_max [W]. Where torque is modelled.
ConstraintPtr MakePower();

/// normal . p <= offset for every point p of every link.
struct HalfSpace {
  math::Vec3 normal_W;  ///< unit vector
  double offset_m = 0;
};
ConstraintPtr MakeWorkspace(std::vector<HalfSpace> half_spaces);

/// The sweep stays clear of every static shape of the situation [m].
/// `comfort_m` is kept by the rows on top of the proof, so that noise does not wedge the robot at a
/// wall.
ConstraintPtr MakeKeepOut(double comfort_m);

/// Regions of the body whose contact is limited in force (contact) instead of avoided (separation).
using RegionFlags = std::array<bool, static_cast<size_t>(robot::Region::kCount)>;

/// Speed and separation monitoring (separation.h) for all regions but the `by_contact` ones [m].
ConstraintPtr MakeSeparation(const RegionFlags& by_contact, double comfort_m);

/// Power and force limiting (contact.h): near a `by_contact` region no link is faster than that
/// region's limit [m/s].
ConstraintPtr MakeContact(
    const RegionFlags& by_contact,
    const std::array<double, static_cast<size_t>(robot::Region::kCount)>& speed_limit_m_s);

/// Where a wheeled base tips: support rectangle around the centre of mass.
struct TipOverModel {
  double com_height_m = 0;                     ///< centre of mass above the floor, with rider
  double front_m = 0, rear_m = 0, side_m = 0;  ///< from the centre of mass to the edges of support
  double slope_rad = 0;                        ///< steepest floor, any direction
  double hardest_braking = 1;  ///< strongest deceleration as a multiple of the rated one, >= 1
};
/// The zero-moment point stays inside the support rectangle [m].
ConstraintPtr MakeTipOver(const TipOverModel& model);

/// |commanded torque - torque that holds the robot's own weight| within `max_nm`, joint by joint
/// [Nm]: what a driving command can push on the wearer. Braking torques are always allowed.
/// Exoskeleton only (robot/exoskeleton.h).
ConstraintPtr MakeInteractionForce(const robot::Joints& max_nm);

/// The commands that may follow `previous`: inside the limits, within the rate, or toward braking.
struct CommandInterval {
  double lower = 0, upper = 0;
};
CommandInterval NextCommand(const robot::RobotModel& robot, double previous, double brake, int i);

}  // namespace saferl::safety
