#include <array>
#include <limits>

#include "saferl/safety/constraints/constraints.h"
#include "saferl/safety/constraints/sweep.h"

namespace saferl::safety {
namespace {

constexpr int kMaxKeepOutRows = 16;

class KeepOut final : public Constraint {
 public:
  explicit KeepOut(double comfort_m) : comfort_m_(comfort_m) {}

  ConstraintId id() const override { return ConstraintId::kKeepOut; }

  void AddRows(const Situation& s, RowSet* rows) const override {
    if (s.n_static == 0 || !MovesAmongThings(*s.robot)) return;
    const double hold = RowHold_s(*s.robot);
    const double brake_time = hold + BrakeTime_s(*s.robot, s.wanted);
    std::array<robot::Nearness, kMaxKeepOutRows> near;
    const double comfort = comfort_m_ + s.creep_reach_m;
    const double horizon = comfort + 0.05 + brake_time * kFastest_m_s;
    const int n =
        s.robot->Near(s.observation->robot, s.placement,
                      {s.static_W.data(), static_cast<size_t>(s.n_static)}, horizon, near);
    for (int k = 0; k < n; ++k) {
      const robot::Nearness& one = near[k];
      robot::Joints row{};
      for (int i = 0; i < s.robot->n(); ++i) row[i] = -one.gradient[i];
      rows->Add(row, ApproachSpeed(one.distance_m - comfort, BrakeAlong(s, one.gradient), hold),
                id());
    }
  }

  double Margin(const Situation& s, const robot::Manoeuvre& m) const override {
    if (m.at_rest || !MovesAmongThings(*s.robot)) return std::numeric_limits<double>::infinity();
    const Bound bound = SweepBound(s, m);
    const double outside = math::Norm(bound.center_W - s.static_center_W) + bound.radius_m;
    // Beyond the disc in which shapes were collected nothing is known.
    if (!(outside <= s.static_reach_m)) return s.static_reach_m - outside;
    return SweepClearance(s, m, {s.static_W.data(), static_cast<size_t>(s.n_static)}, {});
  }

 private:
  static constexpr double kFastest_m_s = 1.0;  ///< rows look this far ahead per second of braking
  double comfort_m_;
};

}  // namespace

ConstraintPtr MakeKeepOut(double comfort_m) { return std::make_shared<KeepOut>(comfort_m); }

}  // namespace saferl::safety
