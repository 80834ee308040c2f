#include <array>
#include <cmath>
#include <limits>

#include "saferl/safety/constraints/constraints.h"
#include "saferl/safety/constraints/rows.h"

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
    // Beyond the disc in which shapes were collected nothing is known.
    const double outside = FarthestFromCentre(s, m);
    if (!(outside <= s.static_reach_m)) return s.static_reach_m - outside;
    return s.robot->SweepClearance(m, {s.static_W.data(), static_cast<size_t>(s.n_static)}, {},
                                   kReportedClearance_m);
  }

 private:
  static constexpr double kFastest_m_s = 1.0;  ///< rows look this far ahead per second of braking

  /// How far from the middle of the known disc the sweep gets; 0 where the disc has no end.
  static double FarthestFromCentre(const Situation& s, const robot::Manoeuvre& m) {
    double farthest = 0;
    if (!(s.static_reach_m < std::numeric_limits<double>::infinity())) return farthest;
    const auto count = [&](math::Vec3 p, double around) {
      const double away = math::Norm(p - s.static_center_W) + around;
      if (!(away <= farthest)) farthest = away;
    };
    for (int k = 0; k < m.n; ++k) {
      const robot::Placement& place = m.sample[k].placement;
      const auto& reach = m.sample[k].reach_m;
      if (s.base_radius_m > 0) count({place.x, place.y, 0}, s.base_radius_m + reach[0]);
      for (int i = 0; i < place.n_links && s.base_radius_m == 0; ++i) {
        count(place.link_W[i].a, place.link_W[i].radius + reach[i]);
        count(place.link_W[i].b, place.link_W[i].radius + reach[i]);
      }
    }
    return farthest;
  }

  double comfort_m_;
};

}  // namespace

ConstraintPtr MakeKeepOut(double comfort_m) { return std::make_shared<KeepOut>(comfort_m); }

}  // namespace saferl::safety
