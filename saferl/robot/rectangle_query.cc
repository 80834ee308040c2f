#include "saferl/robot/rectangle_query.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace saferl::robot {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

/// The stretch of a segment inside a rectangle, in parameters; empty when enter > leave.
struct Inside {
  double enter, leave;
};

Inside Clip(const math::Rectangle& r, const Shadow& s) {
  if (std::max(s.ax, s.bx) < r.rear || std::min(s.ax, s.bx) > r.front ||
      std::max(s.ay, s.by) < -r.half_width || std::min(s.ay, s.by) > r.half_width)
    return {1, 0};
  const double dx = s.bx - s.ax, dy = s.by - s.ay;
  const double p[4] = {-dx, dx, -dy, dy};
  const double q[4] = {s.ax - r.rear, r.front - s.ax, s.ay + r.half_width, r.half_width - s.ay};
  Inside inside{0, 1};
  for (int i = 0; i < 4; ++i) {
    if (p[i] == 0.0) {
      if (q[i] < 0) return {1, 0};
    } else if (p[i] < 0) {
      inside.enter = std::max(inside.enter, q[i] / p[i]);
    } else {
      inside.leave = std::min(inside.leave, q[i] / p[i]);
    }
  }
  return inside;
}

/// Deepest parameter of a segment that crosses the rectangle. Inside, the signed distance is the
/// largest of four linear functions of the parameter, so that its least value is at an end of the
/// stretch or where two of the four are equal.
double DeepestParameter(const math::Rectangle& r, const Shadow& s, const Inside& inside) {
  const double dx = s.bx - s.ax, dy = s.by - s.ay;
  const double slope[4] = {-dx, dx, -dy, dy};
  const double start[4] = {r.rear - s.ax, s.ax - r.front, -r.half_width - s.ay,
                           s.ay - r.half_width};
  double best_t = inside.enter, best = kInf;
  const auto offer = [&](double t) {
    double largest = -kInf;
    for (int i = 0; i < 4; ++i) largest = std::max(largest, start[i] + t * slope[i]);
    if (largest < best) {
      best = largest;
      best_t = t;
    }
  };
  offer(inside.enter);
  offer(inside.leave);
  for (int i = 0; i < 4; ++i) {
    for (int k = i + 1; k < 4; ++k) {
      const double t = (start[k] - start[i]) / (slope[i] - slope[k]);
      if (t > inside.enter && t < inside.leave) offer(t);
    }
  }
  return best_t;
}

/// Parameter of the point of the segment nearest to the rectangle: where they do not meet, the
/// nearest pair has an end of the segment or a corner of the rectangle in it.
double NearestParameter(const math::Rectangle& r, const Shadow& s) {
  const Inside inside = Clip(r, s);
  if (inside.enter <= inside.leave) return DeepestParameter(r, s, inside);
  const double dx = s.bx - s.ax, dy = s.by - s.ay, length2 = dx * dx + dy * dy;
  double best_t = 0, best = math::SignedDistance(r, s.ax, s.ay);
  const auto offer = [&](double t) {
    const double distance = math::SignedDistance(r, s.ax + t * dx, s.ay + t * dy);
    if (!(distance >= best)) {
      best = distance;
      best_t = t;
    }
  };
  offer(1.0);
  for (const double cx : {r.rear, r.front}) {
    for (const double cy : {-r.half_width, r.half_width})
      offer(std::clamp(((cx - s.ax) * dx + (cy - s.ay) * dy) / length2, 0.0, 1.0));
  }
  return best_t;
}

}  // namespace

double RectangleDistance(const math::Rectangle& r, const Shadow& s) {
  const double poison = 0.0 * (s.ax + s.ay + s.bx + s.by);
  if (std::isnan(poison)) return poison;
  const Inside inside = Clip(r, s);
  if (inside.enter <= inside.leave) {
    const double t = DeepestParameter(r, s, inside);
    return math::SignedDistance(r, s.ax + t * (s.bx - s.ax), s.ay + t * (s.by - s.ay));
  }
  // Apart, the nearest pair has an end of the segment or a corner of the rectangle in it.
  const double to_a = math::SignedDistance(r, s.ax, s.ay);
  const double to_b = math::SignedDistance(r, s.bx, s.by);
  double best = to_a < to_b ? to_a : to_b;
  const double dx = s.bx - s.ax, dy = s.by - s.ay, length2 = dx * dx + dy * dy;
  for (const double cx : {r.rear, r.front}) {
    for (const double cy : {-r.half_width, r.half_width}) {
      const double ex = cx - s.ax, ey = cy - s.ay, along = ex * dx + ey * dy;
      if (!(along > 0 && along < length2)) continue;  // nearest to an end, which has been counted
      const double across = ex * dy - ey * dx;
      if (across * across < best * best * length2) best = std::abs(across) / std::sqrt(length2);
    }
  }
  return best;
}

std::pair<double, double> NearestPoint(const math::Rectangle& rectangle, const Shadow& s) {
  if (s.ax == s.bx && s.ay == s.by) return {s.ax, s.ay};
  const double t = NearestParameter(rectangle, s);
  return {s.ax + t * (s.bx - s.ax), s.ay + t * (s.by - s.ay)};
}

std::pair<double, double> Outward(const math::Rectangle& r, double x, double y) {
  const double dx_front = x - r.front, dx_rear = r.rear - x;
  const double dx = std::max(dx_front, dx_rear), sign_x = dx_front >= dx_rear ? 1.0 : -1.0;
  const double dy = std::abs(y) - r.half_width, sign_y = y >= 0 ? 1.0 : -1.0;
  if (dx > 0 && dy > 0) {
    const double d = std::sqrt(dx * dx + dy * dy);
    return {sign_x * dx / d, sign_y * dy / d};
  }
  return dx >= dy ? std::pair{sign_x, 0.0} : std::pair{0.0, sign_y};
}

}  // namespace saferl::robot
