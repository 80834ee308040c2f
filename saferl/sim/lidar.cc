#include "saferl/sim/lidar.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numbers>

#include "saferl/robot/types.h"

namespace saferl::sim {
namespace {

/// atan2 within 0.0006 rad: enough to choose beams, whose hits are then computed exactly.
double RoughBearing(double y, double x) {
  const double ax = std::abs(x), ay = std::abs(y);
  const double high = std::max(ax, ay), low = std::min(ax, ay);
  if (!(high > 0)) return 0;
  const double t = low / high, t2 = t * t;
  double a = t * (0.9953541 + t2 * (-0.2886897 + t2 * 0.0793473));
  if (ay > ax) a = 0.5 * std::numbers::pi - a;
  if (x < 0) a = std::numbers::pi - a;
  return y < 0 ? -a : a;
}

constexpr double kRoughError = 0.002;

/// Directions of the beams in W and the ranges found so far.
struct Sweep {
  int n = 0;
  double per_rad = 0;  ///< beams per radian
  double yaw = 0;
  std::array<double, robot::kMaxLidar> dx, dy, range;

  /// Calls hit(i) for every beam that may point between the bearings `from` and from + width (in
  /// W).
  template <typename Hit>
  void ForBeams(double from, double width, Hit hit) {
    const double first = (from - kRoughError - yaw + std::numbers::pi) * per_rad;
    int i = static_cast<int>(std::ceil(first));
    const int last = static_cast<int>(std::floor(first + (width + 2 * kRoughError) * per_rad));
    const int count = std::min(last - i + 1, n);
    i %= n;
    if (i < 0) i += n;
    for (int k = 0; k < count; ++k) {
      hit(i);
      if (++i == n) i = 0;
    }
  }
};

void CastEdge(Point origin, const Edge& edge, Sweep* sweep) {
  const Point a = edge.a - origin, b = edge.b - origin;
  const Point e = b - a;
  const double side =
      Cross(a, e);  // > 0: the origin is on the box's side of this edge, which faces away
  if (side >= 0) return;
  // Seen from outside the edge runs clockwise: from b's bearing counter-clockwise to a's.
  const double from = RoughBearing(b.y, b.x);
  double width = RoughBearing(a.y, a.x) - from;
  if (width < -kRoughError) width += 2 * std::numbers::pi;
  const double tolerance = 1e-9 * Dot(e, e);
  sweep->ForBeams(from, std::max(width, 0.0), [&](int i) {
    const Point d{sweep->dx[i], sweep->dy[i]};
    const double denominator = Cross(d, e);
    if (!(denominator < 0)) return;
    // a + s e = range d, solved by cross products; s is compared without dividing.
    const double s = Cross(a, d);
    if (s < denominator - tolerance || s > tolerance) return;
    const double range = side / denominator;
    if (range < sweep->range[i]) sweep->range[i] = range;
  });
}

void CastDisc(Point origin, const Disc& disc, Sweep* sweep) {
  const Point c = disc.p - origin;
  const double distance = Norm(c);
  if (distance <= disc.radius) {
    for (int i = 0; i < sweep->n; ++i) sweep->range[i] = 0;
    return;
  }
  const double half = std::asin(disc.radius / distance);
  sweep->ForBeams(RoughBearing(c.y, c.x) - half, 2 * half, [&](int i) {
    const Point d{sweep->dx[i], sweep->dy[i]};
    const double along = Dot(c, d), across = Cross(d, c);
    const double rest = disc.radius * disc.radius - across * across;
    if (rest < 0 || along < 0) return;
    const double range = along - std::sqrt(rest);
    if (range < sweep->range[i]) sweep->range[i] = range;
  });
}

}  // namespace

Lidar::Lidar(int beams, double max_range_m)
    : beams_(std::clamp(beams, 1, robot::kMaxLidar)), max_range_m_(max_range_m) {
  for (int i = 0; i < beams_; ++i) {
    const double angle = -std::numbers::pi + 2.0 * std::numbers::pi * i / beams_;
    cos_.push_back(std::cos(angle));
    sin_.push_back(std::sin(angle));
  }
}

void Lidar::Cast(const Scene& scene, std::span<const Disc> people, Pose2 sensor,
                 std::span<float> ranges) const {
  Sweep sweep;
  sweep.n = beams_;
  sweep.per_rad = beams_ / (2.0 * std::numbers::pi);
  sweep.yaw = math::WrapAngle(sensor.yaw);
  const double c = std::cos(sensor.yaw), s = std::sin(sensor.yaw);
  for (int i = 0; i < beams_; ++i) {
    sweep.dx[i] = c * cos_[i] - s * sin_[i];
    sweep.dy[i] = s * cos_[i] + c * sin_[i];
    sweep.range[i] = max_range_m_;
  }
  const Point origin = sensor.position();
  for (size_t k = 0; k < scene.boxes.size(); ++k) {
    const Box& box = scene.boxes[k];
    const double reach = max_range_m_ + box.half_x + box.half_y;
    const Point d{box.x - origin.x, box.y - origin.y};
    if (Dot(d, d) > reach * reach) continue;
    for (size_t edge = 4 * k; edge < 4 * k + 4; ++edge) CastEdge(origin, scene.edges[edge], &sweep);
  }
  for (const Disc& disc : people) CastDisc(origin, disc, &sweep);
  for (int i = 0; i < beams_ && i < static_cast<int>(ranges.size()); ++i) {
    ranges[i] = sweep.range[i] < max_range_m_ ? static_cast<float>(sweep.range[i])
                                              : std::numeric_limits<float>::infinity();
  }
}

}  // namespace saferl::sim
