#include <algorithm>
#include <array>
#include <cmath>

#include "saferl/control/features.h"
#include "saferl/sim/skill.h"

namespace saferl::sim {
namespace {

constexpr double kReached_m = 0.03;
constexpr double kToolSpeed_m_s = 0.45;
constexpr double kDamping = 0.05;  // of the least squares [m/rad]
constexpr double kDifference_rad = 1e-5;
constexpr double kCentring_1_s = 0.3;  // pull of each joint to the middle of its range

class ArmSkill final : public Skill {
 public:
  ArmSkill(std::shared_ptr<const robot::RobotModel> robot, std::vector<math::Vec3> goals)
      : robot_(std::move(robot)), goals_(std::move(goals)) {}

  int n_goals() const override { return static_cast<int>(goals_.size()); }

  bool Reached(const robot::RobotState& state, int goal) const override {
    return math::Norm(goals_[static_cast<size_t>(goal)] - control::ToolPosition(*robot_, state.q)) <
           kReached_m;
  }

  robot::Joints Toward(const Sight& sight, int goal, const Style& style) override {
    return Lead(sight.robot.q, goals_[static_cast<size_t>(goal)], style.pace * style.gain,
                style.careful);
  }

  robot::Joints At(const Sight& sight, bool at_people) override {
    const math::Vec3 tool = control::ToolPosition(*robot_, sight.robot.q);
    math::Vec3 target{tool.x, tool.y, -1.0};  // the floor
    double nearest = 1e9;
    for (const robot::HumanPart& part : sight.people) {
      const math::Vec3 middle = 0.5 * (part.capsule_W.a + part.capsule_W.b);
      if (!at_people || math::Norm(middle - tool) >= nearest) continue;
      nearest = math::Norm(middle - tool);
      target = middle;
    }
    return Lead(sight.robot.q, target, 6.0, false);
  }

 private:
  robot::Joints Lead(const robot::Joints& q, math::Vec3 target, double haste,
                     bool slow_down) const {
    const int n = robot_->n();
    const math::Vec3 tool = control::ToolPosition(*robot_, q);
    const math::Vec3 error = target - tool;
    const double distance = math::Norm(error);
    const double speed =
        slow_down ? std::min(kToolSpeed_m_s * haste, 2.5 * distance) : kToolSpeed_m_s * haste;
    const math::Vec3 v = distance > 1e-9 ? (speed / distance) * error : math::Vec3{};
    std::array<math::Vec3, robot::kMaxDof> column{};
    for (int i = 0; i < n; ++i) {
      robot::Joints moved = q;
      moved[i] += kDifference_rad;
      column[i] = (1.0 / kDifference_rad) * (control::ToolPosition(*robot_, moved) - tool);
    }
    // (J J' + d^2 I) y = v - J centring, then qd = J' y + centring.
    robot::Joints centring{};
    math::Vec3 rest = v;
    for (int i = 0; i < n; ++i) {
      const double low = robot_->limits().q_lower[i], high = robot_->limits().q_upper[i];
      if (std::isfinite(low) && std::isfinite(high)) {
        const double off = q[i] - 0.5 * (low + high), half = 0.5 * (high - low);
        if (std::abs(off) > 0.7 * half) centring[i] = -kCentring_1_s * off;
      }
      rest = rest - centring[i] * column[i];
    }
    double m[3][3] = {
        {kDamping * kDamping, 0, 0}, {0, kDamping * kDamping, 0}, {0, 0, kDamping * kDamping}};
    for (int i = 0; i < n; ++i) {
      const std::array<double, 3> c = {column[i].x, column[i].y, column[i].z};
      for (int a = 0; a < 3; ++a) {
        for (int b = 0; b < 3; ++b)
          m[a][b] += c[static_cast<size_t>(a)] * c[static_cast<size_t>(b)];
      }
    }
    const math::Vec3 a{m[0][0], m[1][0], m[2][0]}, b{m[0][1], m[1][1], m[2][1]},
        c{m[0][2], m[1][2], m[2][2]};
    const double determinant = math::Dot(a, math::Cross(b, c));
    const math::Vec3 y{math::Dot(rest, math::Cross(b, c)) / determinant,
                       math::Dot(a, math::Cross(rest, c)) / determinant,
                       math::Dot(a, math::Cross(b, rest)) / determinant};
    robot::Joints qd{};
    for (int i = 0; i < n; ++i) {
      qd[i] = std::clamp(math::Dot(column[i], y) + centring[i], robot_->limits().command_lower[i],
                         robot_->limits().command_upper[i]);
    }
    return qd;
  }

  std::shared_ptr<const robot::RobotModel> robot_;
  std::vector<math::Vec3> goals_;
};

}  // namespace

std::unique_ptr<Skill> MakeArmSkill(std::shared_ptr<const robot::RobotModel> robot,
                                    std::vector<math::Vec3> goals) {
  return std::make_unique<ArmSkill>(std::move(robot), std::move(goals));
}

}  // namespace saferl::sim
