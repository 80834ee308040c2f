#include <cmath>
#include <limits>

#include "saferl/safety/constraints/constraints.h"
#include "saferl/safety/constraints/rows.h"

namespace saferl::safety {
namespace {

class Power final : public Constraint {
 public:
  ConstraintId id() const override { return ConstraintId::kPower; }

  void AddRows(const Situation&, RowSet*) const override {}

  double Margin(const Situation& s, const robot::Manoeuvre& m) const override {
    double worst = std::numeric_limits<double>::infinity();
    const robot::Limits& limits = s.robot->limits();
    for (int i = 0; i < s.robot->n(); ++i) {
      if (!std::isfinite(limits.power_max[i])) continue;
      for (int k = 0; k < m.n; ++k) {
        const robot::ManoeuvreSample& sample = m.sample[k];
        const double rate = std::abs(sample.qd[i]) + sample.qd_tube[i];
        worst = MinOrNan(worst, limits.power_max[i] - std::abs(sample.effort[i]) * rate);
      }
    }
    return worst;
  }
};

}  // namespace

ConstraintPtr MakePower() { return std::make_shared<Power>(); }

}  // namespace saferl::safety
