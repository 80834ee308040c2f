#include "saferl/robot/capsule_query.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace saferl::robot {
namespace {

using math::Capsule;
using math::Dot;
using math::Norm;
using math::Vec3;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct Ball {
  Vec3 centre;
  double radius;
};

Ball Around(const Capsule& c) { return {0.5 * (c.a + c.b), 0.5 * Norm(c.b - c.a) + c.radius}; }

/// Balls around every link, grown by its reach, and one around them all.
struct LinkBalls {
  std::array<Ball, kMaxLinks> link;
  Ball all{};

  LinkBalls(const Placement& placement, std::span<const double> reach_m) {
    const int n = placement.n_links;
    for (int k = 0; k < n; ++k) {
      link[k] = Around(placement.link_W[k]);
      if (!reach_m.empty()) link[k].radius += reach_m[k];
      all.centre = all.centre + link[k].centre;
    }
    all.centre = (1.0 / n) * all.centre;
    for (int k = 0; k < n; ++k) {
      const double radius = Norm(link[k].centre - all.centre) + link[k].radius;
      if (!(radius <= all.radius)) all.radius = radius;
    }
  }
};

/// True when the balls' surfaces are surely more than `gap` apart; false for NaN.
bool Apart(const Ball& a, const Ball& b, double gap) {
  const Vec3 between = a.centre - b.centre;
  const double limit = gap + a.radius + b.radius;
  return limit < 0 || Dot(between, between) > limit * limit;
}

}  // namespace

double LinkClearance(const Placement& placement, std::span<const Capsule> obstacles,
                     std::span<const double> reach_m, double enough_m) {
  const LinkBalls balls(placement, reach_m);
  if (std::isnan(balls.all.radius + Dot(balls.all.centre, balls.all.centre) + enough_m))
    return kNan;
  double best = kInf;
  for (const Capsule& obstacle : obstacles) {
    const Ball ball = Around(obstacle);
    if (Apart(balls.all, ball, std::min(best, enough_m))) continue;
    for (int k = 0; k < placement.n_links; ++k) {
      if (Apart(balls.link[k], ball, std::min(best, enough_m))) continue;
      const double distance = math::CapsuleDistance(placement.link_W[k], obstacle) -
                              (reach_m.empty() ? 0.0 : reach_m[k]);
      if (std::isnan(distance)) return kNan;
      best = std::min(best, distance);
    }
  }
  return best;
}

namespace {

/// An axis as a + t d, t in [0, 1], with what every pair needs of it.
struct Segment {
  Vec3 a, d;
  double dd;  ///< d . d
  double radius;
  Ball ball;

  Segment() = default;
  explicit Segment(const Capsule& c)
      : a(c.a),
        d(c.b - c.a),
        dd(Dot(d, d)),
        radius(c.radius),
        ball{0.5 * (c.a + c.b), 0.5 * std::sqrt(dd) + c.radius} {}
};

double Unit(double t) { return std::min(1.0, std::max(0.0, t)); }

/// Parameters of the nearest points, as math::NearestCapsules has them.
std::pair<double, double> NearestParameters(const Segment& first, const Segment& second) {
  const Vec3 w = first.a - second.a;
  const double uw = Dot(first.d, w), vw = Dot(second.d, w), uv = Dot(first.d, second.d);
  const double product = first.dd * second.dd, denominator = product - uv * uv;
  if (!(second.dd > 0)) return {first.dd > 0 ? Unit(-uw / first.dd) : 0.0, 0.0};
  // Parallel axes leave s free.
  double s = denominator > 1e-14 * product ? Unit((uv * vw - uw * second.dd) / denominator) : 0.0;
  const double t = (uv * s + vw) / second.dd, clamped = Unit(t);
  if (t != clamped && first.dd > 0) s = Unit((uv * clamped - uw) / first.dd);
  return {s, clamped};
}

}  // namespace

int NearestPairs(const Placement& placement, std::span<const Capsule> obstacles, double horizon_m,
                 int capacity, std::span<NearPair, kMaxNearPairs> out) {
  int n = 0;
  if (capacity <= 0) return 0;
  std::array<Segment, kMaxLinks> link;
  Ball all{};
  for (int k = 0; k < placement.n_links; ++k) {
    link[k] = Segment(placement.link_W[k]);
    all.centre = all.centre + (1.0 / placement.n_links) * link[k].ball.centre;
  }
  for (int k = 0; k < placement.n_links; ++k) {
    const double radius = Norm(link[k].ball.centre - all.centre) + link[k].ball.radius;
    if (!(radius <= all.radius)) all.radius = radius;
  }
  for (size_t i = 0; i < obstacles.size(); ++i) {
    const Segment obstacle(obstacles[i]);
    if (Apart(all, obstacle.ball, horizon_m)) continue;
    for (int k = 0; k < placement.n_links; ++k) {
      const double horizon = n == capacity ? std::min(horizon_m, out[n - 1].distance_m) : horizon_m;
      if (Apart(link[k].ball, obstacle.ball, horizon)) continue;
      const auto [s, t] = NearestParameters(link[k], obstacle);
      const Vec3 on_link = link[k].a + s * link[k].d;
      const Vec3 between = obstacle.a + t * obstacle.d - on_link;
      const double gap2 = Dot(between, between), radii = link[k].radius + obstacle.radius;
      const double most = horizon + radii;
      if (!(most >= 0 && gap2 <= (1 + 1e-12) * most * most)) continue;
      const double gap = std::sqrt(gap2), distance = gap - link[k].radius - obstacle.radius;
      if (!(distance <= horizon)) continue;
      int at = n < capacity ? n++ : capacity - 1;
      for (; at > 0 && out[at - 1].distance_m > distance; --at) out[at] = out[at - 1];
      out[at] = {distance, k, static_cast<int>(i), on_link,
                 gap > 0 ? (1.0 / gap) * between : Vec3{}};
    }
  }
  return n;
}

}  // namespace saferl::robot
