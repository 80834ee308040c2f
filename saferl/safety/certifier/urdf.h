#pragma once
// A small reader of URDF for the certifier: joints of one serial chain, nothing else. It shares no
// code with the robot room's reader (urdfdom), so that a mistake of one shows as a disagreement of
// the two.
//
// Reads <joint name type> with <origin xyz rpy>, <parent link>, <child link>, <axis xyz>, <limit>;
// skips everything else. Units: metres, radians. RT: no. Errors: name file and line, the problem
// and the next step. Source: URDF as documented at wiki.ros.org/urdf/XML/joint.

#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/math/geometry.h"

namespace saferl::safety::certifier {

struct UrdfJoint {
  std::string name, type, parent, child;
  math::Vec3 xyz, rpy;
  math::Vec3 axis{1, 0, 0};                               ///< URDF's default
  double lower = 0, upper = 0, velocity = 0, effort = 0;  ///< <limit>
  int line = 0;
};

/// The joints from the root link along the only path, in order. `file` is for messages.
StatusOr<std::vector<UrdfJoint>> ReadUrdfChain(std::string_view text, std::string_view file);

}  // namespace saferl::safety::certifier
