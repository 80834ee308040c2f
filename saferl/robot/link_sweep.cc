#include "saferl/robot/link_sweep.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace saferl::robot {
namespace {

using math::Capsule;
using math::Dot;
using math::Norm;
using math::Vec3;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kBunch = 32;

double Square(Vec3 v) { return Dot(v, v); }

/// Balls around all places of each link, reach included, and one around them all.
struct Sweep {
  int n_links = 0, middle = 0;
  std::array<Vec3, kMaxLinks> centre;
  std::array<double, kMaxLinks> radius;
  std::array<double, kMaxLinks> way;    ///< farthest that an axis point goes from the middle sample
  std::array<double, kMaxLinks> reach;  ///< largest
  Vec3 all_centre;
  double all_radius = 0, poison = 0;

  explicit Sweep(const Manoeuvre& m) {
    middle = m.n / 2;
    const Placement& there = m.sample[middle].placement;
    n_links = there.n_links;
    for (int k = 0; k < n_links; ++k) {
      const Capsule& c = there.link_W[k];
      double way2 = 0;
      reach[k] = 0;
      for (int i = 0; i < m.n; ++i) {
        const Capsule& d = m.sample[i].placement.link_W[k];
        way2 = std::max({way2, Square(d.a - c.a), Square(d.b - c.b)});
        reach[k] = std::max(reach[k], m.sample[i].reach_m[k]);
        poison += 0.0 * (d.a.x + d.a.y + d.a.z + d.b.x + d.b.y + d.b.z + d.radius +
                         m.sample[i].reach_m[k]);
      }
      way[k] = std::sqrt(way2);
      centre[k] = 0.5 * (c.a + c.b);
      radius[k] = 0.5 * Norm(c.b - c.a) + c.radius + way[k] + reach[k];
      all_centre = all_centre + centre[k];
    }
    all_centre = (1.0 / std::max(1, n_links)) * all_centre;
    for (int k = 0; k < n_links; ++k)
      all_radius = std::max(all_radius, Norm(centre[k] - all_centre) + radius[k]);
  }
};

/// A pair whose balls are near each other.
struct Pair {
  double least = 0;  ///< no distance of the pair is below this
  int link = 0;
  size_t obstacle = 0;
};

/// `worst`, or what is nearer than that between the obstacle and the link along the sweep.
double Follow(const Manoeuvre& m, const Sweep& sweep, int link, const Capsule& obstacle,
              double worst) {
  const double there =
      math::CapsuleDistance(m.sample[sweep.middle].placement.link_W[link], obstacle);
  if (std::isnan(there)) return kNan;
  if (there - sweep.way[link] - sweep.reach[link] > worst) return worst;
  for (int i = 0; i < m.n; ++i) {
    const ManoeuvreSample& s = m.sample[i];
    const double distance =
        i == sweep.middle ? there : math::CapsuleDistance(s.placement.link_W[link], obstacle);
    worst = std::min(worst, distance - s.reach_m[link]);
  }
  return worst;
}

}  // namespace

double LinkSweepClearance(const Manoeuvre& m, std::span<const Capsule> obstacles,
                          std::span<const double> grown_m, double enough_m) {
  if (m.n < 1) return kNan;
  const Sweep sweep(m);
  if (std::isnan(sweep.poison + enough_m)) return kNan;
  double worst = enough_m, poison = 0;
  std::array<Capsule, kBunch> grown;
  std::array<Pair, kBunch * kMaxLinks> pair;
  for (size_t first = 0; first < obstacles.size(); first += kBunch) {
    const size_t n_grown = std::min(kBunch, obstacles.size() - first);
    size_t n = 0, nearest = 0;
    for (size_t i = 0; i < n_grown; ++i) {
      Capsule& c = grown[i];
      c = obstacles[first + i];
      if (!grown_m.empty()) c.radius += grown_m[first + i];
      const Vec3 centre = 0.5 * (c.a + c.b);
      const double radius = 0.5 * Norm(c.b - c.a) + c.radius;
      poison += 0.0 * (radius + centre.x + centre.y + centre.z);
      const double limit = worst + sweep.all_radius + radius;
      if (limit < 0 || Square(centre - sweep.all_centre) > limit * limit) continue;
      for (int k = 0; k < sweep.n_links; ++k) {
        const double near = worst + sweep.radius[k] + radius;
        const double between = Square(centre - sweep.centre[k]);
        if (near < 0 || between > near * near) continue;
        pair[n] = {std::sqrt(between) - sweep.radius[k] - radius, k, i};
        if (pair[n].least < pair[nearest].least) nearest = n;
        ++n;
      }
    }
    if (std::isnan(poison)) return kNan;
    if (n > 0) std::swap(pair[0], pair[nearest]);
    for (size_t p = 0; p < n; ++p) {
      if (pair[p].least > worst) continue;
      worst = Follow(m, sweep, pair[p].link, grown[pair[p].obstacle], worst);
      if (std::isnan(worst)) return kNan;
    }
  }
  return worst;
}

}  // namespace saferl::robot
