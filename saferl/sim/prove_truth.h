#pragma once
// The prover's planar world: walls, boxes and a lidar that sees them truly.
// Distances are the certifier's (safety/certifier/shapes.h): the filter uses none of it.
//
// Units: metres, radians, in the plane. RT: no.

#include <array>
#include <span>

#include "saferl/base/random.h"
#include "saferl/robot/types.h"
#include "saferl/safety/certifier/shapes.h"

namespace saferl::sim {

using Point2 = safety::certifier::Point2;
/// The chair's true footprint at a true pose.
using Footprint = safety::certifier::PosedRectangle;

/// A straight piece of wall (both ends included).
struct Wall {
  Point2 a, b;
};

/// Surface of the footprint to the surface of a disc of `radius` around `p`, or to a wall; negative
/// = overlap.
inline double TrueDistance(const Footprint& footprint, Point2 p, double radius) {
  return safety::certifier::RectangleToPoint(footprint, p) - radius;
}
inline double TrueDistance(const Footprint& footprint, const Wall& wall) {
  return safety::certifier::RectangleToSegment(footprint, wall.a, wall.b);
}

inline constexpr int kMaxWalls = 48;

/// Walls and boxes around the robot, drawn at random; the start pose is free.
struct World {
  int n = 0;
  std::array<Wall, kMaxWalls> wall{};

  void AddBox(Point2 centre, double half_x, double half_y, double yaw);
  /// Rooms, corridors, doorways and clutter; nothing nearer than `free_m` to the footprint.
  void Draw(const Footprint& start, double free_m, Random* random);
  std::span<const Wall> walls() const { return {wall.data(), static_cast<size_t>(n)}; }
};

/// True ranges of `ranges.size()` beams from (x, y), beam i at yaw - pi + 2 pi i / n. +inf beyond
/// `max_range_m`.
void TrueRanges(const World& world, double x, double y, double yaw, double max_range_m,
                std::span<double> ranges);

}  // namespace saferl::sim
