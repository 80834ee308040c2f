#pragma once
// URDF text to a plain serial chain. The only file that knows urdfdom (its exceptions and its
// messages end here).
//
// Units: SI, radians. Frames: URDF's: a joint's frame sits at its origin in the parent link; the
// child link's frame is the joint's frame turned about `axis`. RT: no. Errors: "name: what is wrong
// with which joint or link; next step". Source: URDF XML specification (wiki.ros.org/urdf/XML), as
// urdfdom 3.0 parses it.

#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/math/geometry.h"

namespace saferl::robot {

/// A joint on the way from base to tip. Limits are +-inf for `continuous` joints and 0 for fixed
/// ones.
struct UrdfJoint {
  std::string name, child_link;
  bool turns = false;        ///< revolute or continuous; false: fixed
  math::Pose x_PJ;           ///< in the parent link's frame
  math::Vec3 axis{0, 0, 1};  ///< unit, in the joint's frame
  double lower_rad = 0, upper_rad = 0, velocity_rad_s = 0, effort_nm = 0;
};

/// Points on the skin of a link as its collision (else visual) shapes draw it, in the link's frame.
struct UrdfSkin {
  std::string link;
  std::vector<math::Vec3> points_m;
  int n_meshes = 0;  ///< shapes that were not looked into
};

/// Joints from base_link to tip_link, in that order, and the skin of every link on the way, base
/// first.
struct UrdfChain {
  std::string robot_name;
  std::vector<UrdfJoint> joints;
  std::vector<UrdfSkin> skins;
};

inline constexpr size_t kMaxUrdfBytes = size_t{1} << 20;

StatusOr<UrdfChain> ParseUrdfChain(std::string_view text, std::string_view name,
                                   const std::string& base_link, const std::string& tip_link);

}  // namespace saferl::robot
