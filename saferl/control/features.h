#pragma once
// What a policy sees and what its output means: Observation + goal -> float vector, and
// action vector <-> command.
//
// Learning, simulation and the Tick call the same functions, so a policy sees in operation what it
// saw in training. Layout by robot kind (n = command components):
//   wheelchair   goal distance, sin and cos of goal bearing, v, omega, 24 lidar sectors,
//                3 people x (distance, sin and cos of bearing)
//   arm          q (n), qd (n), goal - tool (3), distance from the tool to the nearest body part,
//                direction to it (3)
//   exoskeleton  q (n), qd (n), interaction torque (n)
// Units: SI, in each Field.
// Frames: wheelchair entries in the body frame (x forward, y left); the arm's in W.
//   Lidar sector 0 is straight ahead, the others follow counter-clockwise, each pi / 12 wide; a
//   sector holds its nearest return. The tool is the end of the last link's capsule. Ranges are
//   capped at kRangeCap_m; a person further away than that, or not there, reads (cap, 0, 0).
// Precondition: `out` holds FeatureCount(model) floats; a shorter one is left alone, 0 is returned.
// Actions: in [-1, 1]^n, mapped linearly on [command_lower, command_upper]. A saved policy carries
//   that map as action_scale and action_offset, so that Policy::Forward already answers in the
//   robot's command unit.
// Errors: none. The Tick refuses observations with NaN before it extracts features.
// RT: Extract*, *ToCommand, *ToAction yes. Cost: 0.2 us (exoskeleton) to 1 us (360 beams).

#include <memory>
#include <span>
#include <vector>

#include "saferl/math/geometry.h"
#include "saferl/policy/policy.h"
#include "saferl/robot/robot_model.h"

namespace saferl::control {

inline constexpr double kRangeCap_m = 4.0;  ///< lidar sectors and people
inline constexpr double kGoalCap_m = 20.0;  ///< wheelchair goal distance
inline constexpr int kLidarSectors = 24;
inline constexpr int kNearestPeople = 3;

struct FeatureModel {
  std::shared_ptr<const robot::RobotModel> robot;
};

FeatureModel MakeFeatureModel(std::shared_ptr<const robot::RobotModel> robot);

/// n_obs: 38 for the wheelchair, 2 n + 7 for an arm, 3 n for the exoskeleton.
int FeatureCount(const FeatureModel& model);
/// The same for a robot kind with n command components.
int FeatureCount(robot::Kind kind, int n);

/// Names, units, sizes and ranges of what ExtractFeatures writes, in order.
std::vector<policy::Field> ObservationSchema(const FeatureModel& model);
/// The command's components with their units and limits.
std::vector<policy::Field> ActionSchema(const FeatureModel& model);

/// Writes FeatureCount(model) floats; returns that count. `goal_W`: wheelchair uses x and y;
/// exoskeleton ignores it.
int ExtractFeatures(const FeatureModel& model, const robot::Observation& observation,
                    const math::Vec3& goal_W, std::span<float> out);

/// The goal-dependent entries only, rewritten in place for another goal; the rest of `out` must be
/// extracted already.
void RetargetFeatures(const FeatureModel& model, const robot::Observation& observation,
                      const math::Vec3& goal_W, std::span<float> out);

/// scale and offset such that command = scale * action + offset maps [-1, 1] on the command limits;
/// (n) each.
void ActionScaling(const FeatureModel& model, std::vector<float>* scale,
                   std::vector<float>* offset);

/// action in [-1, 1]^n (clipped) -> command in the robot's unit. Non-finite entries stay
/// non-finite.
void ActionToCommand(const FeatureModel& model, std::span<const float> action,
                     robot::Joints* command);
/// The inverse, clipped to [-1, 1].
void CommandToAction(const FeatureModel& model, const robot::Joints& command,
                     std::span<float> action);

/// Where the tool of an arm is at q: the end of its last link's capsule [m].
math::Vec3 ToolPosition(const robot::RobotModel& robot, const robot::Joints& q);

}  // namespace saferl::control
