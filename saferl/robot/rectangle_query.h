#pragma once
// Distances between a base's rectangle and the shadows of capsules on the floor.
//
// Units: m. Frame: B, the body frame of the rectangle (x forward, y left). RT: yes. Total: NaN in
// gives NaN distances. Source: clipping after Liang and Barsky (1984).

#include <utility>

#include "saferl/math/geometry.h"

namespace saferl::robot {

/// A segment on the floor, in B.
struct Shadow {
  double ax, ay, bx, by;
};

/// The shadow of a capsule's axis, seen from a body at (x, y) with the given heading.
inline Shadow ToBody(const math::Capsule& c, double x, double y, double cos_yaw, double sin_yaw) {
  const double ax = c.a.x - x, ay = c.a.y - y, bx = c.b.x - x, by = c.b.y - y;
  return {cos_yaw * ax + sin_yaw * ay, cos_yaw * ay - sin_yaw * ax, cos_yaw * bx + sin_yaw * by,
          cos_yaw * by - sin_yaw * bx};
}

/// Signed distance from the segment to the rectangle: negative is the depth of its deepest point.
double RectangleDistance(const math::Rectangle& rectangle, const Shadow& shadow);
/// The point of the segment that realises it.
std::pair<double, double> NearestPoint(const math::Rectangle& rectangle, const Shadow& shadow);
/// Outward unit gradient of the signed distance at a point.
std::pair<double, double> Outward(const math::Rectangle& rectangle, double x, double y);

}  // namespace saferl::robot
