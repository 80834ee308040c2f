#include "saferl/sim/plane.h"

#include <algorithm>

namespace saferl::sim {
namespace {

/// Direction of a heading; walls stand at yaw 0, which costs nothing.
Point Axis(double yaw) { return yaw == 0 ? Point{1, 0} : Point{std::cos(yaw), std::sin(yaw)}; }

/// `p` seen along `axis` and across it.
Point Along(Point axis, Point p) { return {Dot(axis, p), Cross(axis, p)}; }

/// Distance from a point in the box's own frame, negative inside.
double FromCentre(const Box& box, Point b) {
  const double dx = std::abs(b.x) - box.half_x, dy = std::abs(b.y) - box.half_y;
  if (dx > 0 && dy > 0) return std::sqrt(dx * dx + dy * dy);
  return std::max(dx, dy);
}

bool Overlap(const Box& a, Point ax, const Box& b, Point bx) {
  const Point d{b.x - a.x, b.y - a.y};
  const double c = std::abs(Dot(ax, bx)), s = std::abs(Cross(ax, bx));
  // Separated along one of the four face normals means apart; a NaN separates nothing.
  return !(std::abs(Dot(d, ax)) > a.half_x + b.half_x * c + b.half_y * s) &&
         !(std::abs(Cross(ax, d)) > a.half_y + b.half_x * s + b.half_y * c) &&
         !(std::abs(Dot(d, bx)) > b.half_x + a.half_x * c + a.half_y * s) &&
         !(std::abs(Cross(bx, d)) > b.half_y + a.half_x * s + a.half_y * c);
}

/// Distance from the nearest corner of `a` to `b`.
double NearestCorner(const Box& a, Point ax, const Box& b, Point bx) {
  const Point o = Along(bx, {a.x - b.x, a.y - b.y});
  const Point u = a.half_x * Along(bx, ax), v = a.half_y * Along(bx, {-ax.y, ax.x});
  return std::min({FromCentre(b, o - u - v), FromCentre(b, o + u - v), FromCentre(b, o + u + v),
                   FromCentre(b, o - u + v)});
}

}  // namespace

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
  return FromCentre(box, Along(Axis(box.yaw), {p.x - box.x, p.y - box.y}));
}

bool Touches(const Box& a, const Box& b) { return Overlap(a, Axis(a.yaw), b, Axis(b.yaw)); }

bool Touches(const Box& a, const Disc& disc) { return !(Distance(a, disc.p) > disc.radius); }

double Distance(const Box& a, const Box& b) {
  const Point ax = Axis(a.yaw), bx = Axis(b.yaw);
  if (Overlap(a, ax, b, bx)) return 0;
  // Apart and convex: a corner of one is among the nearest points.
  return std::max(std::min(NearestCorner(a, ax, b, bx), NearestCorner(b, bx, a, ax)), 0.0);
}

double SegmentDistance(Point p, Point a, Point b) {
  const Point ab = b - a;
  const double length2 = Dot(ab, ab);
  const double t = length2 > 0 ? std::clamp(Dot(p - a, ab) / length2, 0.0, 1.0) : 0.0;
  return Norm(p - (a + t * ab));
}

}  // namespace saferl::sim
