#include "saferl/safety/constraints/sweep.h"

#include <array>
#include <limits>

#include "saferl/safety/constraints/constraints.h"
#include "saferl/safety/constraints/rows.h"

namespace saferl::safety {
namespace {

/// Shapes are checked in bunches of this many: scratch stays small.
constexpr size_t kBunch = 32;

bool IsFinite(const math::Capsule& c) {
  return std::isfinite(c.a.x + c.a.y + c.a.z + c.b.x + c.b.y + c.b.z + c.radius);
}

}  // namespace

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
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  if (m.n < 1) return kNan;
  const Bound bound = SweepBound(s, m);
  if (!std::isfinite(bound.radius_m)) return kNan;
  const auto n_links = static_cast<size_t>(std::max(1, m.sample[0].placement.n_links));

  double worst = kReportedClearance_m;
  std::array<math::Capsule, kBunch> near;
  size_t n = 0;
  const auto check = [&] {
    for (int k = 0; k < m.n && n > 0; ++k) {
      const robot::ManoeuvreSample& sample = m.sample[k];
      worst = MinOrNan(worst, s.robot->Clearance(sample.placement, {near.data(), n},
                                                 {sample.reach_m.data(), n_links}, worst));
    }
    n = 0;
  };
  for (size_t i = 0; i < shapes.size(); ++i) {
    math::Capsule shape = shapes[i];
    if (!grown_m.empty()) shape.radius += grown_m[i];
    if (!IsFinite(shape)) return kNan;
    const double gap = PointDistance(bound.center_W, shape, bound.planar) - bound.radius_m;
    if (gap > worst) continue;  // farther than the worst so far, all along the sweep
    near[n++] = shape;
    if (n == kBunch) check();
  }
  check();
  return worst;
}

}  // namespace saferl::safety
