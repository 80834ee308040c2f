#pragma once
// Drive a wheelchair to its goal through furnished rooms, doorways and walking pedestrians.
//
//   observation  control::ExtractFeatures; its goal is the point `ahead` on the way (route), the
//   goal itself when near:
//                a route planner knows the building, the policy drives
//   action       (v, omega) through tanh onto the command limits, one decision each kDecision_s
//   reward       progress on the way [m] + kSuccess at the goal - kTime per decision - kJerk
//   |change of action|^2 cost 0       contact: 1 for running into walls or furniture, plus seconds
//   nearer than kNear_m to them,
//                weighted by how near
//   cost 1       intrusion: seconds inside a pedestrian's separation zone, weighted by depth
//   zone(v) = error + v_h (T_r + v / b) + v T_r + v^2 / (2 b)      ISO/TS 15066 5.5.4 with C = Z_r
//   = 0
//
// Training starts anywhere off the pedestrians' ways, as the scenes' own starts are: a start in
// somebody's way costs whatever the policy does, and costs in training would be those of a harder
// task than the one that the limits are set for.
//
// A pedestrian who is touched holds the chair. Ends: goal reached, wall or furniture touched
// (terminated), kHorizon (truncated). Randomised per episode while training: scene, start, goal,
// route look-ahead, reaction, ramps, tracking error, measurement errors, speed of the pedestrians'
// walks by scene. Robot: closed-form plant with the robot's own limits. Worlds: scenes from seeds;
// training, validation and test seeds never meet. Units: SI. Frames: W. RT: no. Cost: about 10 us a
// decision.

#include <memory>

#include "saferl/base/status.h"
#include "saferl/learn/env.h"

namespace saferl::learn {

StatusOr<std::unique_ptr<Task>> MakeWheelchairTask(int n_envs, TaskUse use);

}  // namespace saferl::learn
