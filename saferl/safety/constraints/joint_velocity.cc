#include <algorithm>
#include <cmath>
#include <limits>

#include "saferl/safety/constraints/constraints.h"
#include "saferl/safety/constraints/rows.h"
#include "saferl/safety/constraints/torque_rows.h"

namespace saferl::safety {
namespace {

class JointVelocity final : public Constraint {
 public:
  ConstraintId id() const override { return ConstraintId::kJointVelocity; }

  // A true rate strays from the command by the tracking error and by commands that are still on
  // their way.
  void AddRows(const Situation& s, RowSet* rows) const override {
    const robot::Limits& limits = s.robot->limits();
    if (s.robot->kind() == robot::Kind::kExoskeleton) {
      for (int i = 0; i < s.robot->n(); ++i) {
        const double bound = kTorqueComfort * limits.qd_max[i];
        AddRateRows(s, i, bound, bound, TorqueRowTime_s(*s.robot), id(), rows);
      }
    }
    if (s.robot->kind() != robot::Kind::kArm) return;
    const double in_flight_s =
        s.robot->reaction_s() + s.robot->state_age_s() + 2 * s.robot->period_s();
    for (int i = 0; i < s.robot->n(); ++i) {
      const double step = std::max(limits.command_rate[i], limits.brake[i]);
      const double bound = limits.qd_max[i] - s.robot->tracking_error()[i] - step * in_flight_s;
      if (std::abs(s.wanted[i]) <= bound) continue;
      robot::Joints row{};
      row[i] = s.wanted[i] > 0 ? 1 : -1;
      rows->Add(row, bound, id());
    }
  }

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

 private:
  static constexpr double kTorqueComfort = 0.85;  ///< share of the limit that torque rows leave
};

}  // namespace

ConstraintPtr MakeJointVelocity() { return std::make_shared<JointVelocity>(); }

}  // namespace saferl::safety
