#pragma once
// Shapes on the floor plan: boxes (walls, furniture), discs (people) and the wheelchair's
// rectangle, with exact overlap and distance tests.
//
// Units: metres, radians. Frame: W, seen from above (x right, y up).
// Errors: none; NaN in gives "touching" (Touches) or NaN (distances).
// RT: no allocation, bounded loops. Cost: about 10 ns a pair (sim_bench).
// Source: separating axes, Ericson, Real-Time Collision Detection (2005), section 5.2.1.

#include <array>
#include <cmath>

#include "saferl/math/geometry.h"

namespace saferl::sim {

struct Point {
  double x = 0, y = 0;
  friend constexpr Point operator+(Point a, Point b) { return {a.x + b.x, a.y + b.y}; }
  friend constexpr Point operator-(Point a, Point b) { return {a.x - b.x, a.y - b.y}; }
  friend constexpr Point operator*(double s, Point a) { return {s * a.x, s * a.y}; }
  friend constexpr bool operator==(Point, Point) = default;
};
constexpr double Dot(Point a, Point b) { return a.x * b.x + a.y * b.y; }
constexpr double Cross(Point a, Point b) { return a.x * b.y - a.y * b.x; }
inline double Norm(Point a) { return std::sqrt(Dot(a, a)); }

/// A planar pose: the body's origin and heading.
struct Pose2 {
  double x = 0, y = 0, yaw = 0;
  Point position() const { return {x, y}; }
};
/// The point `p_B` of the body at `pose`, in W.
Point ToWorld(Pose2 pose, Point p_B);
/// The point `p_W` in the frame of the body at `pose`.
Point ToBody(Pose2 pose, Point p_W);

/// A rectangle anywhere on the floor.
struct Box {
  double x = 0, y = 0, yaw = 0;  ///< centre and direction of its first axis
  double half_x = 0, half_y = 0;
  double radius() const { return std::hypot(half_x, half_y); }
};

struct Disc {
  Point p;
  double radius = 0;
};

/// Corners, counter-clockwise.
std::array<Point, 4> Corners(const Box& box);
/// The rectangle `shape` of a body at `pose` as a box in W.
Box Placed(const math::Rectangle& shape, Pose2 pose);

/// Distance from a point to the box, negative inside.
double Distance(const Box& box, Point p);
/// Distance between two boxes; 0 when they overlap.
double Distance(const Box& a, const Box& b);
bool Touches(const Box& a, const Box& b);
bool Touches(const Box& a, const Disc& disc);
/// Distance from p to the segment from a to b.
double SegmentDistance(Point p, Point a, Point b);

}  // namespace saferl::sim
