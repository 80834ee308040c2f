#include <algorithm>
#include <limits>

#include "saferl/safety/constraints/constraints.h"
#include "saferl/safety/constraints/rows.h"
#include "saferl/safety/constraints/torque_rows.h"

namespace saferl::safety {
namespace {

class JointPosition final : public Constraint {
 public:
  ConstraintId id() const override { return ConstraintId::kJointPosition; }

  void AddRows(const Situation& s, RowSet* rows) const override {
    if (s.robot->kind() == robot::Kind::kWheelchair) return;
    const robot::Limits& limits = s.robot->limits();
    const robot::Joints error = s.robot->state_error_q();
    const robot::Joints& q = s.observation->robot.q;
    for (int i = 0; i < s.robot->n(); ++i) {
      const double up = ApproachSpeed(limits.q_upper[i] - q[i] - kComfort_rad - 2 * error[i],
                                      limits.brake[i], RowHold_s(*s.robot));
      const double down = ApproachSpeed(q[i] - limits.q_lower[i] - kComfort_rad - 2 * error[i],
                                        limits.brake[i], RowHold_s(*s.robot));
      if (s.robot->kind() == robot::Kind::kExoskeleton) {
        AddRateRows(s, i, up, down, TorqueRowTime_s(*s.robot), id(), rows);
        continue;
      }
      robot::Joints row{};
      if (up < limits.command_upper[i]) {
        row[i] = 1;
        rows->Add(row, up, id());
      }
      if (-down > limits.command_lower[i]) {
        row[i] = -1;
        rows->Add(row, down, id());
      }
    }
  }

  double Margin(const Situation& s, const robot::Manoeuvre& m) const override {
    double worst = std::numeric_limits<double>::infinity();
    if (s.robot->kind() == robot::Kind::kWheelchair || m.at_rest) return worst;
    const robot::Limits& limits = s.robot->limits();
    for (int k = 0; k < m.n; ++k) {
      const robot::ManoeuvreSample& sample = m.sample[k];
      for (int i = 0; i < s.robot->n(); ++i) {
        worst = MinOrNan(worst, sample.q[i] - sample.q_tube[i] - limits.q_lower[i]);
        worst = MinOrNan(worst, limits.q_upper[i] - sample.q[i] - sample.q_tube[i]);
      }
    }
    return worst;
  }

 private:
  static constexpr double kComfort_rad = 0.002;
};

}  // namespace

ConstraintPtr MakeJointPosition() { return std::make_shared<JointPosition>(); }

}  // namespace saferl::safety
