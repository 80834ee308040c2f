#include <cmath>
#include <limits>

#include "saferl/safety/constraints/constraints.h"
#include "saferl/safety/constraints/rows.h"

namespace saferl::safety {
namespace {

class InteractionForce final : public Constraint {
 public:
  explicit InteractionForce(const robot::Joints& max_nm) : max_nm_(max_nm) {}

  ConstraintId id() const override { return ConstraintId::kInteractionForce; }

  void AddRows(const Situation& s, RowSet* rows) const override {
    if (s.robot->kind() != robot::Kind::kExoskeleton) return;
    const robot::Joints hold = HoldingTorque(s);
    for (int i = 0; i < s.robot->n(); ++i) {
      robot::Joints row{};
      row[i] = 1;
      rows->Add(row, hold[i] + max_nm_[i], id());
      row[i] = -1;
      rows->Add(row, max_nm_[i] - hold[i], id());
    }
  }

  double Margin(const Situation& s, const robot::Manoeuvre&) const override {
    double worst = std::numeric_limits<double>::infinity();
    if (s.robot->kind() != robot::Kind::kExoskeleton) return worst;
    const robot::Joints hold = HoldingTorque(s);
    for (int i = 0; i < s.robot->n(); ++i) {
      worst = MinOrNan(worst, max_nm_[i] - std::abs(s.candidate[i] - hold[i]));
    }
    return worst;
  }

 private:
  /// What the braking law asks for at the measured pose if nothing moved: gravity alone.
  static robot::Joints HoldingTorque(const Situation& s) {
    robot::RobotState still = s.observation->robot;
    still.qd = {};
    return s.robot->Brake(still, {});
  }

  robot::Joints max_nm_;
};

}  // namespace

ConstraintPtr MakeInteractionForce(const robot::Joints& max_nm) {
  return std::make_shared<InteractionForce>(max_nm);
}

}  // namespace saferl::safety
