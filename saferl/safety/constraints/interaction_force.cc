#include <algorithm>
#include <limits>

#include "saferl/robot/exoskeleton.h"
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
      rows->Add(row, std::max(hold[i] + max_nm_[i], s.brake[i]), id());
      row[i] = -1;
      rows->Add(row, -std::min(hold[i] - max_nm_[i], s.brake[i]), id());
    }
  }

  double Margin(const Situation& s, const robot::Manoeuvre&) const override {
    double worst = std::numeric_limits<double>::infinity();
    if (s.robot->kind() != robot::Kind::kExoskeleton) return worst;
    const robot::Joints hold = HoldingTorque(s);
    for (int i = 0; i < s.robot->n(); ++i) {
      // A stop may push harder: what leads toward the braking torque is always allowed.
      worst = MinOrNan(worst, std::max(hold[i] + max_nm_[i], s.brake[i]) - s.candidate[i]);
      worst = MinOrNan(worst, s.candidate[i] - std::min(hold[i] - max_nm_[i], s.brake[i]));
    }
    return worst;
  }

 private:
  static robot::Joints HoldingTorque(const Situation& s) {
    return static_cast<const robot::Exoskeleton*>(s.robot)->Gravity(s.observation->robot.q);
  }

  robot::Joints max_nm_;
};

}  // namespace

ConstraintPtr MakeInteractionForce(const robot::Joints& max_nm) {
  return std::make_shared<InteractionForce>(max_nm);
}

}  // namespace saferl::safety
