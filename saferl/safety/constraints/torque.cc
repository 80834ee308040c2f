#include <cmath>
#include <limits>

#include "saferl/safety/constraints/constraints.h"
#include "saferl/safety/constraints/rows.h"

namespace saferl::safety {
namespace {

class Torque final : public Constraint {
 public:
  ConstraintId id() const override { return ConstraintId::kTorque; }

  void AddRows(const Situation&, RowSet*) const override {}

  double Margin(const Situation& s, const robot::Manoeuvre& m) const override {
    double worst = std::numeric_limits<double>::infinity();
    const robot::Limits& limits = s.robot->limits();
    for (int i = 0; i < s.robot->n(); ++i) {
      if (!std::isfinite(limits.effort_max[i])) continue;
      for (int k = 0; k < m.n; ++k) {
        worst = MinOrNan(worst, limits.effort_max[i] - std::abs(m.sample[k].effort[i]));
      }
    }
    return worst;
  }
};

}  // namespace

ConstraintPtr MakeTorque() { return std::make_shared<Torque>(); }

}  // namespace saferl::safety
