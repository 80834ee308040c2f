#include "saferl/control/workload.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "saferl/base/clock.h"
#include "saferl/policy/spec_builder.h"
#include "saferl/robot/exoskeleton.h"
#include "saferl/robot/wheelchair.h"

namespace saferl::control {

namespace {

using robot::Joints;
using robot::Kind;

constexpr double kRoomHalf_m = 4.0;
constexpr int kBeams = 360;
constexpr int kWorkerParts = 25;
constexpr int kPedestrians = 4;
constexpr double kChairShare = 0.8;  // of the command limits that the person asks for
constexpr double kArmShare = 0.3;    // of every joint's speed at once

/// Distance from (x, y) along `angle` to the walls of the square room.
float RangeToWall(double x, double y, double angle) {
  const double c = std::cos(angle), s = std::sin(angle);
  double range = 1e9;
  if (std::abs(c) > 1e-9) range = std::min(range, ((c > 0 ? kRoomHalf_m : -kRoomHalf_m) - x) / c);
  if (std::abs(s) > 1e-9) range = std::min(range, ((s > 0 ? kRoomHalf_m : -kRoomHalf_m) - y) / s);
  return static_cast<float>(std::max(range, 0.0));
}

}  // namespace

Workload::Workload(std::shared_ptr<const robot::RobotModel> robot, uint64_t seed)
    : robot_(std::move(robot)) {
  Random random(seed);
  for (double& phase : phase_) phase = random.Uniform(0, 2 * std::numbers::pi);
  const robot::Limits& limits = robot_->limits();
  if (robot_->kind() != Kind::kWheelchair)
    for (int i = 0; i < robot_->n(); ++i) q_[i] = 0.5 * (limits.q_lower[i] + limits.q_upper[i]);
  if (robot_->kind() == Kind::kExoskeleton) {
    for (int i = 0; i < robot_->n(); ++i) q_[i] = i % 2 == 0 ? 0.1 : 0.4;
    rest_u_ = static_cast<const robot::Exoskeleton&>(*robot_).Gravity(q_);
  }
  if (robot_->kind() == Kind::kArm) {
    constexpr double kBent[] = {0, 0.5, 0, 1.3, 0, 1.0, 0};
    for (int i = 0; i < std::min(robot_->n(), 7); ++i)
      q_[i] = std::clamp(kBent[i], limits.q_lower[i], limits.q_upper[i]);
  }
  input_.now_ns = kNanosPerSecond;
  input_.goals.n = robot_->kind() == Kind::kExoskeleton ? 0 : 3;
  input_.goals.p_W[0] = {0.6, 0.3, 0.5};
  input_.goals.p_W[1] = {0.5, -0.4, 0.7};
  input_.goals.p_W[2] = {3.0, 2.0, 0.4};
}

void Workload::PlacePeople(double t) {
  robot::Observation& o = input_.observation;
  if (robot_->kind() == Kind::kExoskeleton) return;
  o.people_stamp_ns = input_.now_ns;
  const bool arm = robot_->kind() == Kind::kArm;
  o.n_parts = arm ? kWorkerParts : kPedestrians;
  for (int i = 0; i < o.n_parts; ++i) {
    robot::HumanPart& part = o.parts[static_cast<size_t>(i)];
    part.stamp_ns = input_.now_ns;
    part.track = static_cast<uint16_t>(i);
    if (arm) {  // a worker who leans to and fro within the arm's reach
      const double x = 0.52 + 0.1 * std::sin(0.9 * t), y = 0.3 * std::cos(0.5 * t) + 0.03 * (i % 5);
      const double z = 0.1 + 0.065 * i;
      part.capsule_W = {{x, y, z}, {x + 0.02, y + 0.05, z + 0.06}, 0.08};
      part.region =
          static_cast<robot::Region>(1 + i % (static_cast<int>(robot::Region::kCount) - 1));
    } else {
      const double angle = 0.3 * t + 1.57 * i;
      const double x = 2.6 * std::cos(angle), y = 2.6 * std::sin(angle);
      part.capsule_W = {{x, y, 0.2}, {x, y, 1.6}, 0.25};
      part.person = static_cast<uint8_t>(i);
    }
  }
}

void Workload::ScanRoom() {
  robot::Observation& o = input_.observation;
  const auto& chair = static_cast<const robot::Wheelchair&>(*robot_);
  const math::Vec3 mount = chair.config().p_BLidar;
  const double c = std::cos(q_[2]), s = std::sin(q_[2]);
  const double x = q_[0] + c * mount.x - s * mount.y, y = q_[1] + s * mount.x + c * mount.y;
  o.lidar_stamp_ns = input_.now_ns;
  o.n_lidar = kBeams;
  for (int i = 0; i < kBeams; ++i)
    o.lidar_m[static_cast<size_t>(i)] =
        RangeToWall(x, y, q_[2] - std::numbers::pi + 2 * std::numbers::pi * i / kBeams);
}

void Workload::Command(double t) {
  HumanInput& human = input_.human;
  human.stamp_ns = input_.now_ns;
  ++human.sequence;
  const robot::Limits& limits = robot_->limits();
  const double share = robot_->kind() == Kind::kArm ? kArmShare : kChairShare;
  for (int i = 0; i < robot_->n(); ++i) {
    const double wave = std::sin((0.4 + 0.13 * i) * t + phase_[i]);
    human.u[i] = share * wave * (wave > 0 ? limits.command_upper[i] : -limits.command_lower[i]);
    if (robot_->kind() == Kind::kExoskeleton)
      human.u[i] = rest_u_[i] + 0.1 * limits.command_upper[i] * wave;
  }
}

const TickInput& Workload::Next() {
  input_.now_ns += FromSeconds(robot_->period_s());
  ++input_.sequence;
  const double t = Seconds(input_.now_ns);
  robot::Observation& o = input_.observation;
  o.stamp_ns = input_.now_ns;
  ++o.sequence;
  o.robot.stamp_ns = input_.now_ns;
  o.robot.q = q_;
  o.robot.qd = qd_;
  PlacePeople(t);
  if (robot_->kind() == Kind::kWheelchair) ScanRoom();
  Command(t);
  return input_;
}

void Workload::Apply(const safety::Command& command) {
  const double dt = robot_->period_s();
  if (robot_->kind() == Kind::kExoskeleton) {
    const auto& legs = static_cast<const robot::Exoskeleton&>(*robot_);
    const Joints a = legs.Acceleration(q_, qd_, command.u);
    for (int i = 0; i < robot_->n(); ++i) {
      q_[i] += dt * (qd_[i] + 0.5 * dt * a[i]);
      qd_[i] += dt * a[i];
    }
    return;
  }
  qd_ = command.u;
  if (robot_->kind() == Kind::kWheelchair) {
    q_ = robot::Wheelchair::Arc(q_, command.u, dt);
    return;
  }
  for (int i = 0; i < robot_->n(); ++i) q_[i] += dt * command.u[i];
}

StatusOr<std::shared_ptr<const policy::Policy>> MakeBenchPolicy(
    const std::shared_ptr<const robot::RobotModel>& robot, int width, uint64_t seed) {
  const FeatureModel features = MakeFeatureModel(robot);
  const int hidden[] = {width, width};
  policy::PolicySpec spec =
      policy::MakeGaussianMlp(FeatureCount(features), robot->n(), hidden, seed);
  spec.name = "bench";
  spec.robot = robot->name();
  spec.observation = ObservationSchema(features);
  spec.action = ActionSchema(features);
  ActionScaling(features, &spec.action_scale, &spec.action_offset);
  policy::MakeGoldenVectors(&spec, 4, seed);
  return policy::Policy::Create(std::move(spec));
}

StatusOr<TickModel> MakeBenchModel(const std::string& robot_name_or_path, bool with_policy) {
  SAFERL_ASSIGN_OR_RETURN(const auto safety, safety::LoadSafetyModel(robot_name_or_path));
  std::shared_ptr<const policy::Policy> policy;
  if (with_policy) {
    SAFERL_ASSIGN_OR_RETURN(policy, MakeBenchPolicy(safety->robot));
  }
  return MakeTickModel(safety, policy);
}

}  // namespace saferl::control
