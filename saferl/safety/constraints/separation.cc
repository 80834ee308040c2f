#include "saferl/safety/constraints/separation.h"

#include <array>
#include <cmath>
#include <limits>

#include "saferl/base/stack_vector.h"
#include "saferl/safety/constraints/constraints.h"
#include "saferl/safety/constraints/rows.h"

namespace saferl::safety {
namespace {

constexpr int kMaxSeparationRows = 24;

class Separation final : public Constraint {
 public:
  Separation(const RegionFlags& by_contact, double comfort_m)
      : by_contact_(by_contact), comfort_m_(comfort_m) {}

  ConstraintId id() const override { return ConstraintId::kSeparation; }

  void AddRows(const Situation& s, RowSet* rows) const override {
    if (!MovesAmongThings(*s.robot)) return;
    const double hold = RowHold_s(*s.robot);
    const double brake_time = hold + BrakeTime_s(*s.robot, s.wanted);
    Parts part;
    Numbers speed;
    Collect(s, &part, &speed);
    if (part.empty()) return;
    double fastest = 0;
    for (const double v_h : speed) fastest = std::max(fastest, v_h);
    const double comfort = comfort_m_ + s.creep_reach_m;
    const double horizon = comfort + brake_time * (fastest + kFastest_m_s);
    std::array<robot::Nearness, kMaxSeparationRows> near;
    const int n = s.robot->Near(s.observation->robot, s.placement, part, horizon, near);
    for (int k = 0; k < n; ++k) {
      const robot::Nearness& one = near[k];
      const double v_h = speed[static_cast<size_t>(one.obstacle)];
      const double distance = one.distance_m - comfort;
      robot::Joints row{};
      for (int i = 0; i < s.robot->n(); ++i) row[i] = -one.gradient[i];
      rows->Add(row, ApproachSpeed(distance, BrakeAlong(s, one.gradient), hold, v_h), id());
    }
    // Whatever the direction, rest must come before the nearest person can arrive.
    if (n > 0) AddStopTimeRows(s, near[0].distance_m - comfort, fastest, hold, rows);
  }

  double Margin(const Situation& s, const robot::Manoeuvre& m) const override {
    if (m.at_rest || s.n_people == 0 || !MovesAmongThings(*s.robot))
      return std::numeric_limits<double>::infinity();
    Parts part;
    Numbers grown;
    Collect(s, &part, &grown);
    for (double& growth : grown) growth *= m.stop_time_s;
    return s.robot->SweepClearance(m, part, grown, kReportedClearance_m);
  }

 private:
  static constexpr double kFastest_m_s = 1.0;  ///< rows look this far ahead per second of braking

  using Parts = StackVector<math::Capsule, robot::kMaxParts>;
  using Numbers = StackVector<double, robot::kMaxParts>;

  /// The parts that keep their distance, grown by what is already unknown of them, and their
  /// speeds.
  void Collect(const Situation& s, Parts* part, Numbers* speed) const {
    for (int i = 0; i < s.n_people; ++i) {
      if (by_contact_[static_cast<size_t>(s.part_region[i])]) continue;
      part->push_back(s.part_W[i]).radius += s.part_grown_m[i] + s.human->intrusion_m;
      speed->push_back(s.part_speed_m_s[i]);
    }
  }

  void AddStopTimeRows(const Situation& s, double distance, double fastest, double hold,
                       RowSet* rows) const {
    const double time = std::max(0.0, distance / fastest - hold);
    for (int i = 0; i < s.robot->n(); ++i) {
      const double bound = s.robot->limits().brake[i] * time;
      if (!(bound < s.robot->limits().command_upper[i])) continue;
      robot::Joints row{};
      row[i] = 1;
      rows->Add(row, bound, id());
      row[i] = -1;
      rows->Add(row, bound, id());
    }
  }

  RegionFlags by_contact_;
  double comfort_m_;
};

}  // namespace

ConstraintPtr MakeSeparation(const RegionFlags& by_contact, double comfort_m) {
  return std::make_shared<Separation>(by_contact, comfort_m);
}

}  // namespace saferl::safety
