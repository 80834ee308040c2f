#include <algorithm>
#include <limits>

#include "saferl/safety/constraints/constraints.h"
#include "saferl/safety/constraints/rows.h"

namespace saferl::safety {
namespace {

// Its rows are the QP's bounds (filter.cc), so AddRows has nothing to add.
class Acceleration final : public Constraint {
 public:
  ConstraintId id() const override { return ConstraintId::kAcceleration; }

  void AddRows(const Situation&, RowSet*) const override {}

  double Margin(const Situation& s, const robot::Manoeuvre&) const override {
    double worst = std::numeric_limits<double>::infinity();
    for (int i = 0; i < s.robot->n(); ++i) {
      const CommandInterval next = NextCommand(*s.robot, s.previous[i], s.brake[i], i);
      worst = MinOrNan(worst, s.candidate[i] - next.lower);
      worst = MinOrNan(worst, next.upper - s.candidate[i]);
    }
    return worst;
  }
};

}  // namespace

CommandInterval NextCommand(const robot::RobotModel& robot, double previous, double brake, int i) {
  const robot::Limits& limits = robot.limits();
  const double step = limits.command_rate[i] * robot.period_s();
  // Braking is always inside, whatever the rate says.
  return {std::min(std::max(limits.command_lower[i], previous - step), brake),
          std::max(std::min(limits.command_upper[i], previous + step), brake)};
}

ConstraintPtr MakeAcceleration() { return std::make_shared<Acceleration>(); }

}  // namespace saferl::safety
