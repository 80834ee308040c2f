#pragma once
// Where the links of a chain are, by the certifier's own kinematics: plain products of the file's
// transforms.
//
// Units: SI. Frames: W; capsule k of RobotData::capsules. RT: no allocation. Total.

#include <array>

#include "saferl/safety/certifier/models.h"

namespace saferl::safety::certifier {

struct ChainPlace {
  int n = 0;  ///< capsules
  std::array<math::Capsule, robot::kMaxLinks> link_W{};
  std::array<math::Vec3, robot::kMaxDof> axis_W{};    ///< of each turning joint, unit
  std::array<math::Vec3, robot::kMaxDof> origin_W{};  ///< a point on it
};

ChainPlace PlaceChain(const RobotData& data, const robot::Joints& q);
/// Largest speed of any point of capsule k at the rates qd [m/s].
double LinkSpeed(const RobotData& data, const ChainPlace& place, int k, const robot::Joints& qd);
/// Largest distance of any point of capsule k from the axis of turning joint j at this place [m].
double LeverAt(const ChainPlace& place, int k, int j);
/// Turning joints before capsule k.
int TurningBefore(const RobotData& data, int k);

}  // namespace saferl::safety::certifier
