#include "saferl/safety/constraints/contact.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "saferl/safety/constraints/constraints.h"
#include "saferl/safety/constraints/rows.h"

namespace saferl::safety {
namespace {

using SpeedLimits = std::array<double, kNumRegions>;
constexpr int kMaxContactRows = 12;

class Contact final : public Constraint {
 public:
  Contact(const RegionFlags& by_contact, const SpeedLimits& limit)
      : by_contact_(by_contact), limit_(limit) {}

  ConstraintId id() const override { return ConstraintId::kContact; }

  void AddRows(const Situation& s, RowSet* rows) const override {
    if (s.base_radius_m > 0 || !MovesAmongThings(*s.robot)) return;
    std::array<math::Capsule, robot::kMaxParts> part;
    std::array<int, robot::kMaxParts> index;
    size_t n_parts = 0;
    double fastest = 0;
    for (int i = 0; i < s.n_people; ++i) {
      if (!by_contact_[Of(s, i)]) continue;
      part[n_parts] = s.part_W[i];
      part[n_parts].radius += s.part_grown_m[i];
      index[n_parts++] = i;
      fastest = std::max(fastest, s.part_speed_m_s[i]);
    }
    if (n_parts == 0) return;
    const double time = RowHold_s(*s.robot) + BrakeTime_s(*s.robot, s.wanted);
    std::array<robot::Nearness, kMaxContactRows> near;
    const int n = s.robot->Near(s.observation->robot, s.placement, {part.data(), n_parts},
                                time * fastest, near);
    for (int k = 0; k < n; ++k) {
      robot::Joints row{};
      for (int i = 0; i < s.robot->n(); ++i) row[i] = -near[k].gradient[i];
      const int i = index[static_cast<size_t>(near[k].obstacle)];
      rows->Add(row, kComfort * limit_[Of(s, i)], id());
    }
  }

  double Margin(const Situation& s, const robot::Manoeuvre& m) const override {
    double worst = std::numeric_limits<double>::infinity();
    if (s.base_radius_m > 0 || m.at_rest || !MovesAmongThings(*s.robot)) return worst;
    for (int i = 0; i < s.n_people; ++i) {
      if (!by_contact_[Of(s, i)]) continue;
      math::Capsule part = s.part_W[i];
      part.radius += s.part_grown_m[i] + s.part_speed_m_s[i] * m.stop_time_s;
      for (int k = 0; k < m.n; ++k) {
        worst = MinOrNan(worst, SampleMargin(m.sample[k], part, limit_[Of(s, i)]));
      }
    }
    return worst;
  }

 private:
  static constexpr double kComfort = 0.9;  ///< share of the limit that rows leave
  static size_t Of(const Situation& s, int i) { return static_cast<size_t>(s.part_region[i]); }

  /// A link slower than the limit may touch; a faster one must be where the grown part is not.
  static double SampleMargin(const robot::ManoeuvreSample& sample, const math::Capsule& part,
                             double limit) {
    double worst = std::numeric_limits<double>::infinity();
    for (int j = 0; j < sample.placement.n_links; ++j) {
      const double left = limit - sample.speed_m_s[j];
      if (left < 0) {
        const double gap =
            math::CapsuleDistance(sample.placement.link_W[j], part) - sample.reach_m[j];
        if (gap > 0) continue;
      }
      worst = MinOrNan(worst, left);
    }
    return worst;
  }

  RegionFlags by_contact_;
  SpeedLimits limit_;
};

}  // namespace

double ContactSpeedLimit(const ContactRegion& region, double robot_mass_kg) {
  if (!(region.transient_factor > 0)) return 0;
  const double mu = 1.0 / (1.0 / region.mass_kg + 1.0 / robot_mass_kg);
  return region.transient_factor * region.force_n / std::sqrt(mu * region.stiffness_n_per_m);
}

ConstraintPtr MakeContact(const RegionFlags& by_contact, const SpeedLimits& speed_limit_m_s) {
  return std::make_shared<Contact>(by_contact, speed_limit_m_s);
}

}  // namespace saferl::safety
