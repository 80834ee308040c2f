#include <algorithm>
#include <cmath>
#include <numbers>

#include "saferl/base/random.h"
#include "saferl/robot/exoskeleton.h"
#include "saferl/sim/setting.h"

namespace saferl::sim {
namespace {

constexpr double kStep_s = 2.4;  // one step of each leg
constexpr robot::Joints kStand = {0.10, 0.25, 0.10, 0.25};
constexpr robot::Joints kLift = {0.55, 0.70, 0.55, 0.70};
constexpr robot::Joints kStiffness = {60, 25, 60, 25};  // [Nm/rad]
constexpr robot::Joints kDampingNms = {8, 3, 8, 3};

class ExoskeletonSkill final : public Skill {
 public:
  explicit ExoskeletonSkill(std::shared_ptr<const robot::RobotModel> robot)
      : robot_(std::move(robot)), exoskeleton_(static_cast<const robot::Exoskeleton&>(*robot_)) {}
  int n_goals() const override { return 0; }
  bool Reached(const robot::RobotState&, int) const override { return false; }

  robot::Joints Toward(const Sight& sight, int, const Style& style) override {
    const double t = 1e-9 * static_cast<double>(sight.now_ns);
    robot::Joints u = exoskeleton_.Gravity(sight.robot.q);
    for (int i = 0; i < robot_->n(); ++i) {
      // Legs take turns; a raised cosine lifts and lowers.
      const double turn = std::fmod(t / kStep_s + (i < 2 ? 0.0 : 0.5), 1.0);
      const double lift = turn < 0.5 ? 0.5 - 0.5 * std::cos(4 * std::numbers::pi * turn) : 0.0;
      const double aim = kStand[i] + style.pace * kLift[i] * lift;
      u[i] += style.gain * kStiffness[i] * (aim - sight.robot.q[i]) -
              kDampingNms[i] * sight.robot.qd[i];
    }
    return u;
  }

  robot::Joints At(const Sight&, bool toward_flexion) override {
    robot::Joints u{};
    for (int i = 0; i < robot_->n(); ++i) {
      u[i] = toward_flexion ? robot_->limits().command_upper[i] : robot_->limits().command_lower[i];
    }
    return u;
  }

 private:
  std::shared_ptr<const robot::RobotModel> robot_;
  const robot::Exoskeleton& exoskeleton_;
};

class ExoskeletonSetting final : public Setting {
 public:
  ExoskeletonSetting(std::shared_ptr<const robot::RobotModel> robot, uint64_t seed)
      : robot_(std::move(robot)), random_(seed, 601) {
    for (int i = 0; i < robot_->n(); ++i) {
      phase_[i] = random_.Uniform(0, 2 * std::numbers::pi);
      frequency_hz_[i] = random_.Uniform(0.2, 1.5);
    }
  }
  robot::Joints start() const override { return kStand; }
  int true_goal() const override { return 0; }
  int n_goals() const override { return 0; }
  std::unique_ptr<Skill> MakeSkill() const override { return MakeExoskeletonSkill(robot_); }
  control::Goals GoalsAhead(const robot::RobotState&) const override { return {}; }
  void Advance(double, const robot::RobotState&) override {}
  std::span<const robot::HumanPart> people() const override { return {}; }
  double Separation(const robot::RobotState&) const override {
    return std::numeric_limits<double>::infinity();
  }

  Hit Collision(const robot::RobotState& truth) const override {
    for (int i = 0; i < robot_->n(); ++i) {
      if (!(truth.q[i] >= robot_->limits().q_lower[i] && truth.q[i] <= robot_->limits().q_upper[i]))
        return Hit::kRange;
    }
    return Hit::kNothing;
  }
  void Scan(const robot::RobotState&, robot::Observation*) const override {}
  double Travelled(const robot::RobotState& before, const robot::RobotState& after) const override {
    double sum = 0;
    for (int i = 0; i < robot_->n(); ++i) sum += std::abs(after.q[i] - before.q[i]);
    return sum;
  }
  /// Half of what the proof allows for muscles and model error together.
  robot::Joints WearerTorque(double t_s) const override {
    robot::Joints torque{};
    const robot::Joints bound = robot_->tracking_error();
    for (int i = 0; i < robot_->n(); ++i) {
      torque[i] =
          0.5 * bound[i] * std::sin(2 * std::numbers::pi * frequency_hz_[i] * t_s + phase_[i]);
    }
    return torque;
  }

 private:
  std::shared_ptr<const robot::RobotModel> robot_;
  Random random_;
  robot::Joints phase_{}, frequency_hz_{};
};

}  // namespace

std::unique_ptr<Skill> MakeExoskeletonSkill(std::shared_ptr<const robot::RobotModel> robot) {
  return std::make_unique<ExoskeletonSkill>(std::move(robot));
}

std::unique_ptr<Setting> MakeExoskeletonSetting(std::shared_ptr<const robot::RobotModel> robot,
                                                uint64_t seed) {
  return std::make_unique<ExoskeletonSetting>(std::move(robot), seed);
}

}  // namespace saferl::sim
