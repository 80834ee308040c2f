#include "saferl/robot/capsule_query.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

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

int NearestPairs(const Placement& placement, std::span<const Capsule> obstacles, double horizon_m,
                 int capacity, std::span<NearPair, kMaxNearPairs> out) {
  const LinkBalls balls(placement, {});
  int n = 0;
  if (capacity <= 0) return 0;
  for (size_t i = 0; i < obstacles.size(); ++i) {
    const Ball ball = Around(obstacles[i]);
    if (Apart(balls.all, ball, horizon_m)) continue;
    for (int k = 0; k < placement.n_links; ++k) {
      const double horizon = n == capacity ? std::min(horizon_m, out[n - 1].distance_m) : horizon_m;
      if (Apart(balls.link[k], ball, horizon)) continue;
      const math::Nearest nearest = math::NearestCapsules(placement.link_W[k], obstacles[i]);
      if (!(nearest.distance <= horizon)) continue;
      int at = n < capacity ? n++ : capacity - 1;
      for (; at > 0 && out[at - 1].distance_m > nearest.distance; --at) out[at] = out[at - 1];
      out[at] = {nearest.distance, k, static_cast<int>(i), nearest.on_first, nearest.direction};
    }
  }
  return n;
}

}  // namespace saferl::robot
