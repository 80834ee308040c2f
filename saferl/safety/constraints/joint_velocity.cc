#include <cmath>
#include <limits>

#include "saferl/safety/constraints/constraints.h"
#include "saferl/safety/constraints/rows.h"

namespace saferl::safety {
namespace {

// Velocity-commanded robots keep it through the command's own limits, so only the proof is needed
// there.
class JointVelocity final : public Constraint {
 public:
  ConstraintId id() const override { return ConstraintId::kJointVelocity; }

  void AddRows(const Situation&, RowSet*) const override {}

  double Margin(const Situation& s, const robot::Manoeuvre& m) const override {
    double worst = std::numeric_limits<double>::infinity();
    if (s.robot->kind() == robot::Kind::kWheelchair || m.at_rest) return worst;
    const robot::Limits& limits = s.robot->limits();
    for (int k = 0; k < m.n; ++k) {
      const robot::ManoeuvreSample& sample = m.sample[k];
      for (int i = 0; i < s.robot->n(); ++i) {
        worst = MinOrNan(worst, limits.qd_max[i] - std::abs(sample.qd[i]) - sample.qd_tube[i]);
      }
    }
    return worst;
  }
};

}  // namespace

ConstraintPtr MakeJointVelocity() { return std::make_shared<JointVelocity>(); }

}  // namespace saferl::safety
