#include "saferl/sim/plane.h"

#include <algorithm>
#include <limits>

namespace saferl::sim {

Point ToWorld(Pose2 pose, Point p_B) {
  const double c = std::cos(pose.yaw), s = std::sin(pose.yaw);
  return {pose.x + c * p_B.x - s * p_B.y, pose.y + s * p_B.x + c * p_B.y};
}

Point ToBody(Pose2 pose, Point p_W) {
  const double c = std::cos(pose.yaw), s = std::sin(pose.yaw);
  const Point d = p_W - pose.position();
  return {c * d.x + s * d.y, -s * d.x + c * d.y};
}

std::array<Point, 4> Corners(const Box& box) {
  const double c = std::cos(box.yaw), s = std::sin(box.yaw);
  const Point u{c * box.half_x, s * box.half_x}, v{-s * box.half_y, c * box.half_y},
      o{box.x, box.y};
  return {o - u - v, o + u - v, o + u + v, o - u + v};
}

Box Placed(const math::Rectangle& shape, Pose2 pose) {
  const Point centre = ToWorld(pose, {0.5 * (shape.rear + shape.front), 0.0});
  return {centre.x, centre.y, pose.yaw, 0.5 * (shape.front - shape.rear), shape.half_width};
}

double Distance(const Box& box, Point p) {
  const Point b = ToBody({box.x, box.y, box.yaw}, p);
  const double dx = std::abs(b.x) - box.half_x, dy = std::abs(b.y) - box.half_y;
  if (dx > 0 && dy > 0) return std::hypot(dx, dy);
  return std::max(dx, dy);
}

bool Touches(const Box& a, const Box& b) {
  const Point d{b.x - a.x, b.y - a.y};
  const Point ax{std::cos(a.yaw), std::sin(a.yaw)}, bx{std::cos(b.yaw), std::sin(b.yaw)};
  const double c = std::abs(Dot(ax, bx)), s = std::abs(Cross(ax, bx));
  // Separated along one of the four face normals means apart; a NaN separates nothing.
  return !(std::abs(Dot(d, ax)) > a.half_x + b.half_x * c + b.half_y * s) &&
         !(std::abs(Cross(ax, d)) > a.half_y + b.half_x * s + b.half_y * c) &&
         !(std::abs(Dot(d, bx)) > b.half_x + a.half_x * c + a.half_y * s) &&
         !(std::abs(Cross(bx, d)) > b.half_y + a.half_x * s + a.half_y * c);
}

bool Touches(const Box& a, const Disc& disc) { return !(Distance(a, disc.p) > disc.radius); }

double Distance(const Box& a, const Box& b) {
  if (Touches(a, b)) return 0;
  // Apart and convex: a corner of one is among the nearest points.
  double nearest = std::numeric_limits<double>::infinity();
  for (const Point p : Corners(a)) nearest = std::min(nearest, Distance(b, p));
  for (const Point p : Corners(b)) nearest = std::min(nearest, Distance(a, p));
  return std::max(nearest, 0.0);
}

double SegmentDistance(Point p, Point a, Point b) {
  const Point ab = b - a;
  const double length2 = Dot(ab, ab);
  const double t = length2 > 0 ? std::clamp(Dot(p - a, ab) / length2, 0.0, 1.0) : 0.0;
  return Norm(p - (a + t * ab));
}

}  // namespace saferl::sim
