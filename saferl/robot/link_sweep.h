#pragma once
// Distance between everything that a chain of link capsules sweeps and capsules around it.
//
// Each link's places along a manoeuvre lie close together, so that one ball around all of them
// tells most pairs of link and obstacle apart at once. What is left is taken nearest ball first:
// the first pairs then tell the others apart.
//
// Units: m. Frames: W. RT: yes: bounded by samples * links * obstacles, no allocation. NaN in, NaN
// out. Cost: 2 ns a rejected pair, 15 ns an exact one and sample.

#include <span>

#include "saferl/robot/robot_model.h"

namespace saferl::robot {

/// RobotModel::SweepClearance for robots whose Placement holds link capsules that do not change
/// their length.
double LinkSweepClearance(const Manoeuvre& manoeuvre, std::span<const math::Capsule> obstacles,
                          std::span<const double> grown_m, double enough_m);

}  // namespace saferl::robot
