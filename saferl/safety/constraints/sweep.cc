#include "saferl/safety/constraints/sweep.h"

#include <algorithm>

#include "saferl/safety/constraints/constraints.h"

namespace saferl::safety {

Bound SweepBound(const Situation& s, const robot::Manoeuvre& m) {
  Bound bound = BoundOf(m.sample[0].placement, s.base_radius_m);
  double radius = 0;
  for (int k = 0; k < m.n; ++k) {
    const Bound one = BoundOf(m.sample[k].placement, s.base_radius_m);
    double reach = 0;
    for (int i = 0; i < std::max(1, m.sample[k].placement.n_links); ++i) {
      reach = std::max(reach, m.sample[k].reach_m[i]);
    }
    radius = std::max(radius, math::Norm(one.center_W - bound.center_W) + one.radius_m + reach);
  }
  bound.radius_m = radius;
  return bound;
}

double SweepClearance(const Situation& s, const robot::Manoeuvre& m,
                      std::span<const math::Capsule> shapes, std::span<const double> grown_m) {
  return s.robot->SweepClearance(m, shapes, grown_m, kReportedClearance_m);
}

}  // namespace saferl::safety
