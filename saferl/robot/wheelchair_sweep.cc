// Clearance of the chair's whole sweep. Most of 360 lidar edges are far from all of it, so that
// each edge is first held against the sweep as one disc, then against the rectangle in the sweep's
// middle, and only then followed along it. A lower bound of its distance at one sample holds, less
// the way that the chair goes, at the others: samples that cannot matter are passed over.

#include <algorithm>
#include <cmath>
#include <limits>

#include "saferl/robot/rectangle_query.h"
#include "saferl/robot/wheelchair.h"

namespace saferl::robot {
namespace {

constexpr size_t kBunch = 128;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// The rectangle's places along the sweep.
struct Track {
  int n = 0, middle = 0;
  std::array<const Placement*, kMaxSamples> place;
  std::array<double, kMaxSamples> reach;
  /// How far any footprint point goes from sample 0 to this one at most [m].
  std::array<double, kMaxSamples> way;
  double reach_max = 0;
  double to_ends = 0;  ///< longer of the ways from the middle to either end [m]
  double poison = 0;   ///< NaN when any sample is

  Track(const Manoeuvre& m, double corner_m) {
    n = m.n;
    middle = n / 2;
    for (int k = 0; k < n; ++k) {
      place[k] = &m.sample[k].placement;
      reach[k] = m.sample[k].reach_m[0];
      reach_max = std::max(reach_max, reach[k]);
      const Placement& p = *place[k];
      poison += 0.0 * (p.x + p.y + p.yaw + reach[k]);
      way[k] = 0;
      if (k == 0) continue;
      const double dx = p.x - place[k - 1]->x, dy = p.y - place[k - 1]->y;
      way[k] = way[k - 1] + std::sqrt(dx * dx + dy * dy) +
               corner_m * std::abs(p.yaw - place[k - 1]->yaw);
    }
    to_ends = std::max(way[middle], way[n - 1] - way[middle]);
  }
};

/// A capsule's shadow: its middle, a bound of its half length, its radius.
struct Edge {
  double x, y, half, radius;
};

/// At most the distance from the edge to the rectangle at sample k, without the reach.
double Least(const math::Rectangle& rectangle, const Placement& p, const Edge& e) {
  const double x = e.x - p.x, y = e.y - p.y;
  return math::SignedDistance(rectangle, p.cos_yaw * x + p.sin_yaw * y,
                              p.cos_yaw * y - p.sin_yaw * x) -
         e.half - e.radius;
}

/// `worst`, or what is nearer than that between the capsule and the track.
double Follow(const math::Rectangle& rectangle, const Track& t, const math::Capsule& capsule,
              const Edge& edge, double worst) {
  for (int k = 0; k < t.n;) {
    const double room = Least(rectangle, *t.place[k], edge) - t.reach_max - worst;
    if (room > 0) {
      const double until = t.way[k] + room;
      do {
        ++k;
      } while (k < t.n && t.way[k] < until);
      continue;
    }
    const Placement& p = *t.place[k];
    const double distance =
        RectangleDistance(rectangle, ToBody(capsule, p.x, p.y, p.cos_yaw, p.sin_yaw)) -
        edge.radius - t.reach[k];
    if (std::isnan(distance)) return distance;
    worst = std::min(worst, distance);
    ++k;
  }
  return worst;
}

}  // namespace

double Wheelchair::SweepClearance(const Manoeuvre& m, std::span<const math::Capsule> obstacles,
                                  std::span<const double> grown_m, double enough_m) const {
  if (m.n < 1) return kNan;
  const Track track(m, corner_m_);
  if (std::isnan(track.poison + enough_m)) return kNan;
  const Placement& middle = *track.place[track.middle];
  const double centre_x = middle.x + middle.cos_yaw * centre_x_m_,
               centre_y = middle.y + middle.sin_yaw * centre_x_m_;
  const double disc = radius_m_ + track.to_ends + track.reach_max;
  double worst = enough_m, poison = 0;
  struct Candidate {
    double least;
    size_t index;
    Edge edge;
  };
  std::array<Candidate, kBunch> candidate;
  for (size_t first = 0; first < obstacles.size(); first += kBunch) {
    const size_t last = std::min(obstacles.size(), first + kBunch);
    size_t n = 0, nearest = 0;
    for (size_t i = first; i < last; ++i) {
      const math::Capsule& c = obstacles[i];
      const double hx = 0.5 * (c.b.x - c.a.x), hy = 0.5 * (c.b.y - c.a.y);
      const Edge edge{c.a.x + hx, c.a.y + hy, std::abs(hx) + std::abs(hy),
                      c.radius + (grown_m.empty() ? 0.0 : grown_m[i])};
      const double x = edge.x - centre_x, y = edge.y - centre_y;
      const double limit = worst + disc + edge.half + edge.radius;
      poison += 0.0 * (x + y + limit + c.a.z + c.b.z);
      if (limit < 0 || x * x + y * y > limit * limit) continue;
      const double least = Least(config_.footprint, middle, edge) - track.reach_max - track.to_ends;
      if (least > worst) continue;
      candidate[n] = {least, i, edge};
      if (least < candidate[nearest].least) nearest = n;
      ++n;
    }
    if (std::isnan(poison)) return kNan;
    if (n > 0) std::swap(candidate[0], candidate[nearest]);
    for (size_t k = 0; k < n; ++k) {
      if (candidate[k].least > worst) continue;
      worst =
          Follow(config_.footprint, track, obstacles[candidate[k].index], candidate[k].edge, worst);
      if (std::isnan(worst)) return kNan;
    }
  }
  return worst;
}

}  // namespace saferl::robot
