#pragma once
// The certifier's own geometry: distances by formulas that the filter does not use. The prover's
// truth uses it too.
//
// Units: metres, radians. RT: yes (no allocation, total). Exact to rounding; negative = overlap.

#include "saferl/math/geometry.h"

namespace saferl::safety::certifier {

struct Point2 {
  double x = 0, y = 0;
};

/// A rectangle at a pose in the plane: x in [rear, front], |y| <= half_width in its own frame.
struct PosedRectangle {
  double rear = 0, front = 0, half_width = 0;
  double x = 0, y = 0, yaw = 0;
};

/// Rectangle to point; negative inside.
double RectangleToPoint(const PosedRectangle& rectangle, Point2 p);
/// Rectangle to segment; an overlap gives minus the depth of the deepest of nine points of it.
double RectangleToSegment(const PosedRectangle& rectangle, Point2 a, Point2 b);
/// Point of the rectangle (inside included) nearest to p.
Point2 NearestOf(const PosedRectangle& rectangle, Point2 p);

double PointToSegment(math::Vec3 p, math::Vec3 a, math::Vec3 b);
/// Surface to surface; -(sum of radii) at worst.
double CapsuleToCapsule(const math::Capsule& first, const math::Capsule& second);

}  // namespace saferl::safety::certifier
