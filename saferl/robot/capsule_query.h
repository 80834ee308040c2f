#pragma once
// Distances between a robot's link capsules and capsules around it, with cheap rejection first: a
// sphere around the whole robot, then spheres around each link and obstacle, then the exact
// distance.
//
// Units: m. Frames: W. RT: yes: bounded by links * obstacles, no allocation. NaN in any shape gives
// NaN out. Cost: about 2 ns a rejected obstacle, 2 ns a rejected pair, 15 ns an exact pair.

#include <span>

#include "saferl/robot/robot_model.h"

namespace saferl::robot {

/// Smallest distance of the links to the obstacles, minus reach_m[link] each (an empty span: 0);
/// +inf without obstacles. Any value above enough_m may be returned once the true one is known to
/// lie above it.
double LinkClearance(const Placement& placement, std::span<const math::Capsule> obstacles,
                     std::span<const double> reach_m, double enough_m);

/// A near pair with the points that realise it.
struct NearPair {
  double distance_m = 0;
  int link = 0, obstacle = 0;
  math::Vec3 on_link_W;    ///< on the link's axis
  math::Vec3 direction_W;  ///< unit, from link to obstacle
};

inline constexpr int kMaxNearPairs = 32;

/// The nearest pairs within horizon_m, nearest first, at most `capacity` (<= kMaxNearPairs).
int NearestPairs(const Placement& placement, std::span<const math::Capsule> obstacles,
                 double horizon_m, int capacity, std::span<NearPair, kMaxNearPairs> out);

}  // namespace saferl::robot
