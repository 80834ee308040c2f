#include "saferl/safety/constraints/separation.h"

#include <array>
#include <cmath>
#include <limits>

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
    std::array<math::Capsule, robot::kMaxParts> part;
    std::array<double, robot::kMaxParts> speed;
    const size_t n_parts = Collect(s, &part, &speed);
    if (n_parts == 0) return;
    double fastest = 0;
    for (size_t i = 0; i < n_parts; ++i) fastest = std::max(fastest, speed[i]);
    const double comfort = comfort_m_ + s.creep_reach_m;
    const double horizon = comfort + brake_time * (fastest + kFastest_m_s);
    std::array<robot::Nearness, kMaxSeparationRows> near;
    const int n =
        s.robot->Near(s.observation->robot, s.placement, {part.data(), n_parts}, horizon, near);
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
    std::array<math::Capsule, robot::kMaxParts> part;
    std::array<double, robot::kMaxParts> grown;
    const size_t n = Collect(s, &part, &grown);
    for (size_t i = 0; i < n; ++i) grown[i] *= m.stop_time_s;
    return s.robot->SweepClearance(m, {part.data(), n}, {grown.data(), n}, kReportedClearance_m);
  }

 private:
  static constexpr double kFastest_m_s = 1.0;  ///< rows look this far ahead per second of braking

  /// The parts that keep their distance, grown by what is already unknown of them, and their
  /// speeds.
  size_t Collect(const Situation& s, std::array<math::Capsule, robot::kMaxParts>* part,
                 std::array<double, robot::kMaxParts>* speed) const {
    size_t n = 0;
    for (int i = 0; i < s.n_people; ++i) {
      if (by_contact_[static_cast<size_t>(s.part_region[i])]) continue;
      (*part)[n] = s.part_W[i];
      (*part)[n].radius += s.part_grown_m[i] + s.human->intrusion_m;
      (*speed)[n++] = s.part_speed_m_s[i];
    }
    return n;
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
