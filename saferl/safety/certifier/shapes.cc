#include "saferl/safety/certifier/shapes.h"

#include <algorithm>
#include <cmath>

namespace saferl::safety::certifier {

using math::Capsule;
using math::Vec3;

namespace {

Point2 ToBody(const PosedRectangle& r, Point2 p) {
  const double c = std::cos(r.yaw), s = std::sin(r.yaw);
  const double dx = p.x - r.x, dy = p.y - r.y;
  return {c * dx + s * dy, c * dy - s * dx};
}

/// Distance from a body-frame point to the rectangle's boundary, negative inside.
double ToBoundary(const PosedRectangle& r, Point2 p) {
  const double cx = 0.5 * (r.front + r.rear), hx = 0.5 * (r.front - r.rear);
  const double ox = std::abs(p.x - cx) - hx, oy = std::abs(p.y) - r.half_width;
  if (ox <= 0 && oy <= 0) return std::max(ox, oy);
  const double dx = ox > 0 ? ox : 0.0, dy = oy > 0 ? oy : 0.0;
  return std::sqrt(dx * dx + dy * dy);
}

double PointToSegment2(Point2 p, Point2 a, Point2 b) {
  const double ux = b.x - a.x, uy = b.y - a.y;
  const double length2 = ux * ux + uy * uy;
  const double t =
      length2 > 0 ? std::clamp(((p.x - a.x) * ux + (p.y - a.y) * uy) / length2, 0.0, 1.0) : 0.0;
  const double dx = p.x - a.x - t * ux, dy = p.y - a.y - t * uy;
  return std::sqrt(dx * dx + dy * dy);
}

}  // namespace

double RectangleToPoint(const PosedRectangle& rectangle, Point2 p) {
  return ToBoundary(rectangle, ToBody(rectangle, p));
}

double RectangleToSegment(const PosedRectangle& rectangle, Point2 from_W, Point2 to_W) {
  const Point2 a = ToBody(rectangle, from_W), b = ToBody(rectangle, to_W);
  // Which part of the segment lies inside the rectangle (slab clipping)?
  double enter = 0, leave = 1;
  const double lo[2] = {rectangle.rear, -rectangle.half_width};
  const double hi[2] = {rectangle.front, rectangle.half_width};
  const double from[2] = {a.x, a.y}, along[2] = {b.x - a.x, b.y - a.y};
  for (int i = 0; i < 2; ++i) {
    if (along[i] == 0) {
      if (from[i] < lo[i] || from[i] > hi[i]) leave = -1;
      continue;
    }
    const double t0 = (lo[i] - from[i]) / along[i], t1 = (hi[i] - from[i]) / along[i];
    enter = std::max(enter, std::min(t0, t1));
    leave = std::min(leave, std::max(t0, t1));
  }
  if (enter <= leave) {
    double depth = 0;
    for (int k = 0; k <= 8; ++k) {
      const double t = enter + (leave - enter) * k / 8.0;
      depth = std::min(depth, ToBoundary(rectangle, {a.x + t * along[0], a.y + t * along[1]}));
    }
    return depth;
  }
  double nearest = std::min(ToBoundary(rectangle, a), ToBoundary(rectangle, b));
  for (const double x : {lo[0], hi[0]}) {
    for (const double y : {lo[1], hi[1]})
      nearest = std::min(nearest, PointToSegment2({x, y}, a, b));
  }
  return nearest;
}

Point2 NearestOf(const PosedRectangle& r, Point2 p) {
  const Point2 body = ToBody(r, p);
  const double x = std::clamp(body.x, r.rear, r.front);
  const double y = std::clamp(body.y, -r.half_width, r.half_width);
  const double c = std::cos(r.yaw), s = std::sin(r.yaw);
  return {r.x + c * x - s * y, r.y + s * x + c * y};
}

double PointToSegment(Vec3 p, Vec3 a, Vec3 b) {
  const Vec3 u = b - a;
  const double length2 = math::Dot(u, u);
  const double t = length2 > 0 ? std::clamp(math::Dot(p - a, u) / length2, 0.0, 1.0) : 0.0;
  return math::Norm(p - a - t * u);
}

double CapsuleToCapsule(const Capsule& first, const Capsule& second) {
  double nearest = std::min(
      {PointToSegment(first.a, second.a, second.b), PointToSegment(first.b, second.a, second.b),
       PointToSegment(second.a, first.a, first.b), PointToSegment(second.b, first.a, first.b)});
  // Otherwise both nearest points are inside their axes: on the common normal of the two lines.
  const Vec3 u = first.b - first.a, v = second.b - second.a, w = second.a - first.a;
  const Vec3 normal = math::Cross(u, v);
  const double n2 = math::Dot(normal, normal);
  if (n2 > 1e-18) {
    const double s = math::Dot(math::Cross(w, v), normal) / n2;
    const double t = math::Dot(math::Cross(w, u), normal) / n2;
    if (s > 0 && s < 1 && t > 0 && t < 1) {
      nearest = std::min(nearest, std::abs(math::Dot(w, normal)) / std::sqrt(n2));
    }
  }
  return nearest - first.radius - second.radius;
}

}  // namespace saferl::safety::certifier
