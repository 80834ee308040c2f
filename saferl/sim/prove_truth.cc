#include "saferl/sim/prove_truth.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace saferl::sim {

using math::Capsule;
using math::Vec3;

namespace {

Point2 ToBody(const Footprint& f, Point2 p) {
  const double c = std::cos(f.yaw), s = std::sin(f.yaw);
  const double dx = p.x - f.x, dy = p.y - f.y;
  return {c * dx + s * dy, c * dy - s * dx};
}

/// Distance from a body-frame point to the rectangle's boundary, negative inside.
double ToRectangle(const Footprint& f, Point2 p) {
  const double cx = 0.5 * (f.front + f.rear), hx = 0.5 * (f.front - f.rear);
  const double ox = std::abs(p.x - cx) - hx, oy = std::abs(p.y) - f.half_width;
  const double outside = std::hypot(std::max(ox, 0.0), std::max(oy, 0.0));
  return outside > 0 ? outside : std::max(ox, oy);
}

double PointToSegment(Point2 p, Point2 a, Point2 b) {
  const double ux = b.x - a.x, uy = b.y - a.y;
  const double length2 = ux * ux + uy * uy;
  const double t =
      length2 > 0 ? std::clamp(((p.x - a.x) * ux + (p.y - a.y) * uy) / length2, 0.0, 1.0) : 0.0;
  return std::hypot(p.x - a.x - t * ux, p.y - a.y - t * uy);
}

double PointToSegment(Vec3 p, Vec3 a, Vec3 b) {
  const Vec3 u = b - a;
  const double length2 = math::Dot(u, u);
  const double t = length2 > 0 ? std::clamp(math::Dot(p - a, u) / length2, 0.0, 1.0) : 0.0;
  return math::Norm(p - a - t * u);
}

}  // namespace

double TrueDistance(const Footprint& footprint, Point2 p, double radius) {
  return ToRectangle(footprint, ToBody(footprint, p)) - radius;
}

double TrueDistance(const Footprint& footprint, const Wall& wall) {
  const Point2 a = ToBody(footprint, wall.a), b = ToBody(footprint, wall.b);
  // Which part of the wall lies inside the rectangle (slab clipping)?
  double enter = 0, leave = 1;
  const double lo[2] = {footprint.rear, -footprint.half_width};
  const double hi[2] = {footprint.front, footprint.half_width};
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
      depth = std::min(depth, ToRectangle(footprint, {a.x + t * along[0], a.y + t * along[1]}));
    }
    return depth;
  }
  double nearest = std::min(ToRectangle(footprint, a), ToRectangle(footprint, b));
  for (const double x : {lo[0], hi[0]}) {
    for (const double y : {lo[1], hi[1]})
      nearest = std::min(nearest, PointToSegment(Point2{x, y}, a, b));
  }
  return nearest;
}

Point2 NearestPoint(const Footprint& f, Point2 p) {
  const Point2 body = ToBody(f, p);
  const double x = std::clamp(body.x, f.rear, f.front),
               y = std::clamp(body.y, -f.half_width, f.half_width);
  const double c = std::cos(f.yaw), s = std::sin(f.yaw);
  return {f.x + c * x - s * y, f.y + s * x + c * y};
}

double TrueDistance(const Capsule& first, const Capsule& second) {
  double nearest = std::min(
      {PointToSegment(first.a, second.a, second.b), PointToSegment(first.b, second.a, second.b),
       PointToSegment(second.a, first.a, first.b), PointToSegment(second.b, first.a, first.b)});
  // Otherwise both nearest points are inside their axes: on the common normal of the two lines.
  const Vec3 u = first.b - first.a, v = second.b - second.a, w = second.a - first.a;
  const Vec3 normal = math::Cross(u, v);
  const double n2 = math::Dot(normal, normal);
  if (n2 > 1e-18) {
    const double s = math::Dot(math::Cross(w, v), normal) / n2,
                 t = math::Dot(math::Cross(w, u), normal) / n2;
    if (s > 0 && s < 1 && t > 0 && t < 1)
      nearest = std::min(nearest, std::abs(math::Dot(w, normal)) / std::sqrt(n2));
  }
  return nearest - first.radius - second.radius;
}

void World::AddBox(Point2 centre, double half_x, double half_y, double yaw) {
  if (n + 4 > kMaxWalls) return;
  const double c = std::cos(yaw), s = std::sin(yaw);
  Point2 corner[4];
  for (int i = 0; i < 4; ++i) {
    const double x = i == 0 || i == 3 ? -half_x : half_x, y = i < 2 ? -half_y : half_y;
    corner[i] = {centre.x + c * x - s * y, centre.y + s * x + c * y};
  }
  for (int i = 0; i < 4; ++i) wall[n++] = {corner[i], corner[(i + 1) % 4]};
}

void World::Draw(const Footprint& start, double free_m, Random* random) {
  n = 0;
  const int kind = random->Index(4);  // 0: open with clutter, 1: room, 2: corridor, 3: doorway
  const double yaw = random->Uniform(-std::numbers::pi, std::numbers::pi);
  const Point2 middle{start.x + random->Uniform(-1.0, 1.0), start.y + random->Uniform(-1.0, 1.0)};
  if (kind == 1) AddBox(middle, random->Uniform(1.5, 4.0), random->Uniform(1.5, 4.0), yaw);
  if (kind == 2) AddBox(middle, random->Uniform(5.0, 8.0), random->Uniform(0.6, 1.3), yaw);
  if (kind == 3) {
    const double gap = random->Uniform(0.4, 0.9), off = random->Uniform(0.8, 2.5), thick = 0.1;
    const double c = std::cos(yaw), s = std::sin(yaw);
    for (const double side : {-1.0, 1.0}) {
      const double along = side * (gap + 2.0);
      AddBox({middle.x + c * off - s * along, middle.y + s * off + c * along}, thick, 2.0, yaw);
    }
  }
  const int boxes = random->Index(6);
  for (int i = 0; i < boxes; ++i) {
    const double far = random->Uniform(0.8, 4.0),
                 angle = random->Uniform(-std::numbers::pi, std::numbers::pi);
    AddBox({start.x + far * std::cos(angle), start.y + far * std::sin(angle)},
           random->Uniform(0.1, 0.6), random->Uniform(0.1, 0.6),
           random->Uniform(-std::numbers::pi, std::numbers::pi));
  }
  // Whatever is too near the start pose goes, box by box.
  int kept = 0;
  for (int box = 0; box < n; box += 4) {
    bool free = true;
    for (int i = 0; i < 4; ++i) free = free && TrueDistance(start, wall[box + i]) > free_m;
    if (!free) continue;
    std::copy(wall.begin() + box, wall.begin() + box + 4, wall.begin() + kept);
    kept += 4;
  }
  n = kept;
}

void TrueRanges(const World& world, double x, double y, double yaw, double max_range_m,
                std::span<double> ranges) {
  const int beams = static_cast<int>(ranges.size());
  const double two_pi = 2.0 * std::numbers::pi, step = two_pi / beams;
  std::fill(ranges.begin(), ranges.end(), std::numeric_limits<double>::infinity());
  for (const Wall& wall : world.walls()) {
    const double ax = wall.a.x - x, ay = wall.a.y - y, bx = wall.b.x - x, by = wall.b.y - y;
    const double cross = ax * by - ay * bx;
    if (std::abs(cross) < 1e-12) continue;  // seen edge-on
    // The wall spans less than half a turn: beams from the clockwise end to the other, in body
    // angles.
    const double begin =
        std::atan2(cross > 0 ? ay : by, cross > 0 ? ax : bx) - yaw + std::numbers::pi;
    const double span = std::abs(std::atan2(cross, ax * bx + ay * by));
    const int first = static_cast<int>(std::ceil(begin / step));
    const int last = static_cast<int>(std::floor((begin + span) / step));
    const double ux = bx - ax, uy = by - ay;
    for (int k = first; k <= last; ++k) {
      const double angle = yaw - std::numbers::pi + k * step;
      const double c = std::cos(angle), s = std::sin(angle);
      const double denominator = c * uy - s * ux;
      if (denominator == 0) continue;
      const double range = (ax * uy - ay * ux) / denominator;
      if (range < 0 || range > max_range_m) continue;
      double& r = ranges[static_cast<size_t>(((k % beams) + beams) % beams)];
      r = std::min(r, range);
    }
  }
}

}  // namespace saferl::sim
