#pragma once
// Is this robot file fit to be trusted? Everything that can be checked without the robot: behind
// `saferl robot check`.
//
//   file       loads, every number in its range, limits ordered, brakes beat what they have to
//   stopping   how long and how far braking from full command takes
//   links      (arm) every link of the URDF has a capsule, and its drawn skin lies inside
//   jacobian   (arm, exoskeleton) against finite differences
//   tubes      random true robots inside the stated uncertainty never leave the prediction
//   (tube_check.h)
//
// RT: no. Cost: about 0.2 s. Errors: a file that does not load, naming file, line, field and the
// fix; a check that fails is not an error but a report that is not good().

#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/robot/robot_model.h"

namespace saferl::robot {

struct CheckItem {
  std::string name;
  bool good = true;
  std::string detail;  ///< what was found, in one line
};

struct RobotReport {
  std::string file, name;
  Kind kind = Kind::kArm;
  int n = 0, n_links = 0;
  double hold_s = 0;       ///< period and reaction
  double stop_time_s = 0;  ///< worst over full commands, hold included
  double stop_way_m =
      0;  ///< farthest way of any point until rest [m]; exoskeleton: largest angle [rad]
  std::vector<CheckItem> items;

  bool good() const;
};

StatusOr<RobotReport> CheckRobot(const std::string& name_or_path, int tube_cases = 1000,
                                 uint64_t seed = 1);

/// "wheelchair", "arm" or "exoskeleton".
std::string_view Name(Kind kind);

}  // namespace saferl::robot
