#include <array>
#include <limits>
#include <utility>

#include "saferl/safety/constraints/constraints.h"
#include "saferl/safety/constraints/rows.h"

namespace saferl::safety {
namespace {

// For rows a half-space is a huge ball behind its plane: Near() then gives the gradient. The ball's
// surface is within 0.5 mm of the plane one metre from the foot point; only rows use it.
constexpr double kBallRadius_m = 1000;
constexpr double kComfort_m = 0.01;

class Workspace final : public Constraint {
 public:
  explicit Workspace(std::vector<HalfSpace> half_spaces) : half_spaces_(std::move(half_spaces)) {
    for (const HalfSpace& h : half_spaces_) {
      const math::Vec3 center = (h.offset_m + kBallRadius_m) * h.normal_W;
      balls_.push_back({center, center, kBallRadius_m});
    }
  }

  ConstraintId id() const override { return ConstraintId::kWorkspace; }

  void AddRows(const Situation& s, RowSet* rows) const override {
    if (s.base_radius_m > 0 || balls_.empty() || !MovesAmongThings(*s.robot)) return;
    std::array<robot::Nearness, 8> near;
    const int n = s.robot->Near(s.observation->robot, s.placement, balls_, 0.3, near);
    for (int k = 0; k < n; ++k) {
      robot::Joints row{};
      for (int i = 0; i < s.robot->n(); ++i) row[i] = -near[k].gradient[i];
      rows->Add(row,
                ApproachSpeed(near[k].distance_m - kComfort_m, BrakeAlong(s, near[k].gradient),
                              RowHold_s(*s.robot)),
                id());
    }
  }

  double Margin(const Situation& s, const robot::Manoeuvre& m) const override {
    double worst = std::numeric_limits<double>::infinity();
    if (s.base_radius_m > 0 || m.at_rest || !MovesAmongThings(*s.robot)) return worst;
    for (const HalfSpace& h : half_spaces_) {
      for (int k = 0; k < m.n; ++k) {
        const robot::ManoeuvreSample& sample = m.sample[k];
        for (int i = 0; i < sample.placement.n_links; ++i) {
          if (sample.speed_m_s[i] == 0) continue;  // the mounting does not sweep
          const math::Capsule& c = sample.placement.link_W[i];
          const double inside = h.offset_m - c.radius - sample.reach_m[i];
          worst = MinOrNan(worst, inside - math::Dot(h.normal_W, c.a));
          worst = MinOrNan(worst, inside - math::Dot(h.normal_W, c.b));
        }
      }
    }
    return worst;
  }

 private:
  std::vector<HalfSpace> half_spaces_;
  std::vector<math::Capsule> balls_;
};

}  // namespace

ConstraintPtr MakeWorkspace(std::vector<HalfSpace> half_spaces) {
  return std::make_shared<Workspace>(std::move(half_spaces));
}

}  // namespace saferl::safety
