#include <algorithm>
#include <cmath>
#include <limits>

#include "saferl/safety/constraints/constraints.h"
#include "saferl/safety/constraints/rows.h"

// The zero-moment point of a body whose wheels stay on the floor, for the acceleration a of its
// centre of mass and a floor that leans by up to `slope` in any direction (Vukobratovic & Borovac
// 2004, eq. 3 for a point mass):
//   x_zmp = -h (a_x + g sin(slope)) / (g cos(slope)),   y alike.
// Inside the support rectangle no wheel loses the floor.

namespace saferl::safety {
namespace {

constexpr double kGravity_m_s2 = 9.80665;

class TipOver final : public Constraint {
 public:
  explicit TipOver(const TipOverModel& model)
      : model_(model),
        arm_s2_(model.com_height_m / (kGravity_m_s2 * std::cos(model.slope_rad))),
        lean_m_s2_(kGravity_m_s2 * std::sin(model.slope_rad)) {}

  ConstraintId id() const override { return ConstraintId::kTipOver; }

  // |v omega| <= a, made linear at the wish: v_w omega + omega_w v - v_w omega_w <= a.
  void AddRows(const Situation& s, RowSet* rows) const override {
    if (s.robot->kind() != robot::Kind::kWheelchair) return;
    const double product = s.wanted[0] * s.wanted[1];
    const double limit = kComfort * (model_.side_m / arm_s2_ - lean_m_s2_);
    if (!(std::abs(product) > 0.5 * limit)) return;
    const double sign = product > 0 ? 1 : -1;
    robot::Joints row{};
    row[0] = sign * s.wanted[1];
    row[1] = sign * s.wanted[0];
    rows->Add(row, limit + std::abs(product), id());
  }

  double Margin(const Situation& s, const robot::Manoeuvre& m) const override {
    double worst = std::numeric_limits<double>::infinity();
    if (s.robot->kind() != robot::Kind::kWheelchair || m.at_rest) return worst;
    const robot::Limits& limits = s.robot->limits();
    for (int k = 0; k < m.n; ++k) {
      const robot::ManoeuvreSample& sample = m.sample[k];
      const double v = std::abs(sample.qd[0]) + sample.qd_tube[0];
      const double omega = std::abs(sample.qd[1]) + sample.qd_tube[1];
      worst = MinOrNan(worst, model_.side_m - Shift(v * omega));
    }
    // Lengthwise: braking forward pushes to the front, braking backward and speeding up forward to
    // the rear.
    const double brake = limits.brake[0] * model_.hardest_braking;
    const double drive = limits.command_rate[0];
    const bool forward = s.previous[0] > 0 || s.candidate[0] > 0;
    const bool backward = s.previous[0] < 0 || s.candidate[0] < 0;
    const double to_front = std::max(forward ? brake : 0.0, backward ? drive : 0.0);
    const double to_rear = std::max(forward ? drive : 0.0, backward ? brake : 0.0);
    worst = MinOrNan(worst, model_.front_m - Shift(to_front));
    worst = MinOrNan(worst, model_.rear_m - Shift(to_rear));
    return worst;
  }

 private:
  static constexpr double kComfort = 0.9;  ///< share of the lateral limit that rows leave
  double Shift(double acceleration_m_s2) const {
    return arm_s2_ * (acceleration_m_s2 + lean_m_s2_);
  }

  TipOverModel model_;
  double arm_s2_;     ///< metres of shift per m/s^2
  double lean_m_s2_;  ///< gravity's pull along the steepest floor
};

}  // namespace

ConstraintPtr MakeTipOver(const TipOverModel& model) { return std::make_shared<TipOver>(model); }

}  // namespace saferl::safety
