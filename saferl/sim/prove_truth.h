#pragma once
// Truth for the prover: distances between true shapes, by formulas of its own (it shares none with
// the filter), and a planar world of walls with a lidar that sees it.
//
// Units: metres, radians, in the plane. RT: no. Exact to rounding; negative = overlap.

#include <array>
#include <span>

#include "saferl/base/random.h"
#include "saferl/math/geometry.h"
#include "saferl/robot/types.h"

namespace saferl::sim {

struct Point2 {
  double x = 0, y = 0;
};

/// A straight piece of wall (both ends included).
struct Wall {
  Point2 a, b;
};

/// The chair's true footprint at a true pose.
struct Footprint {
  double rear = 0, front = 0, half_width = 0;  ///< body frame [m]
  double x = 0, y = 0, yaw = 0;                ///< pose in W
};

/// Surface of the rectangle to the surface of a disc of `radius` around `p`.
double TrueDistance(const Footprint& footprint, Point2 p, double radius);
/// Rectangle to wall; an overlap returns minus the depth of the deepest wall point.
double TrueDistance(const Footprint& footprint, const Wall& wall);
/// Point of the rectangle nearest to `p`.
Point2 NearestPoint(const Footprint& footprint, Point2 p);
/// Surface to surface of two capsules in space.
double TrueDistance(const math::Capsule& first, const math::Capsule& second);

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
