#include "saferl/robot/link_sweep.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "saferl/base/stack_vector.h"

namespace saferl::robot {
namespace {

using math::Capsule;
using math::Dot;
using math::Norm;
using math::Vec3;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kBunch = 32;

double Square(Vec3 v) { return Dot(v, v); }

/// Balls around all places of each link, reach included, and one around them all. The balls' data
/// lie in rows of constant length, so that a compiler takes several links at once.
struct Sweep {
  using Row = std::array<double, kMaxLinks>;
  int n_links = 0, middle = 0;
  alignas(32) Row x{}, y{}, z{}, radius{};
  Row way;    ///< farthest that an axis point goes from the middle sample
  Row reach;  ///< largest
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
      const Vec3 centre = 0.5 * (c.a + c.b);
      x[k] = centre.x;
      y[k] = centre.y;
      z[k] = centre.z;
      radius[k] = 0.5 * Norm(c.b - c.a) + c.radius + way[k] + reach[k];
      all_centre = all_centre + centre;
    }
    all_centre = (1.0 / std::max(1, n_links)) * all_centre;
    for (int k = 0; k < n_links; ++k)
      all_radius = std::max(all_radius, Norm(Vec3{x[k], y[k], z[k]} - all_centre) + radius[k]);
  }

  /// Squares of the distances from the links' centres.
  Row Squares(Vec3 from) const {
    Row squares;
    for (size_t k = 0; k < kMaxLinks; ++k) {
      const double dx = from.x - x[k], dy = from.y - y[k], dz = from.z - z[k];
      squares[k] = dx * dx + dy * dy + dz * dz;
    }
    return squares;
  }
};

/// A pair whose balls are near each other.
struct Pair {
  double least;  ///< no distance of the pair is below this
  int link;
  size_t obstacle;  ///< of its bunch
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
  for (size_t first = 0; first < obstacles.size(); first += kBunch) {
    const size_t n_grown = std::min(kBunch, obstacles.size() - first);
    StackVector<Capsule, kBunch> grown;
    StackVector<Pair, kBunch * kMaxLinks> pairs;
    size_t nearest = 0;
    for (size_t i = 0; i < n_grown; ++i) {
      Capsule& c = grown.push_back(obstacles[first + i]);
      if (!grown_m.empty()) c.radius += grown_m[first + i];
      const Vec3 centre = 0.5 * (c.a + c.b);
      const double radius = 0.5 * Norm(c.b - c.a) + c.radius;
      poison += 0.0 * (radius + centre.x + centre.y + centre.z);
      const double limit = worst + sweep.all_radius + radius;
      if (limit < 0 || Square(centre - sweep.all_centre) > limit * limit) continue;
      const Sweep::Row between = sweep.Squares(centre);
      for (int k = 0; k < sweep.n_links; ++k) {
        const double near = worst + sweep.radius[k] + radius;
        if (near < 0 || between[k] > near * near) continue;
        pairs.push_back({std::sqrt(between[k]) - sweep.radius[k] - radius, k, i});
        if (pairs[pairs.size() - 1].least < pairs[nearest].least) nearest = pairs.size() - 1;
      }
    }
    if (std::isnan(poison)) return kNan;
    if (!pairs.empty()) std::swap(pairs[0], pairs[nearest]);
    for (const Pair& pair : pairs) {
      if (pair.least > worst) continue;
      worst = Follow(m, sweep, pair.link, grown[pair.obstacle], worst);
      if (std::isnan(worst)) return kNan;
    }
  }
  return worst;
}

}  // namespace saferl::robot
