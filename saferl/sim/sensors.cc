#include "saferl/sim/sensors.h"

#include <algorithm>
#include <cmath>

namespace saferl::sim {
namespace {
constexpr double kSlow = 0.7, kFast = 0.3;
}  // namespace

double Sensors::Wander::Next(Random* random) {
  if (left-- <= 0) {
    target = random->Uniform(-1.0, 1.0);
    left = 20 + random->Index(80);
  }
  value += 0.05 * (target - value);
  return value;
}

Sensors::Sensors(std::shared_ptr<const safety::SafetyModel> model, uint64_t seed)
    : model_(std::move(model)), random_(seed, 77) {}

double Sensors::Draw(Wander* wander) {
  return kSlow * wander->Next(&random_) + kFast * random_.Uniform(-1.0, 1.0);
}

void Sensors::Measure(const robot::RobotState& truth, const Setting& setting,
                      const robot::Joints& interaction, robot::Observation* observation) {
  *observation = {};
  const int64_t now_ns = truth.stamp_ns;
  observation->stamp_ns = now_ns;
  observation->sequence = ++sequence_;
  observation->robot = truth;
  const robot::RobotModel& robot = *model_->robot;
  const robot::Joints q_error = robot.state_error_q(), qd_error = robot.state_error_qd();
  const int n_q = robot.kind() == robot::Kind::kWheelchair ? 3 : robot.n();
  for (int i = 0; i < n_q; ++i) observation->robot.q[i] += q_error[i] * Draw(&q_[i]);
  for (int i = 0; i < robot.n(); ++i) observation->robot.qd[i] += qd_error[i] * Draw(&qd_[i]);
  observation->interaction = interaction;

  const std::span<const robot::HumanPart> now = setting.people();
  const bool aged = !before_.empty();
  const std::span<const robot::HumanPart> seen =
      aged ? std::span<const robot::HumanPart>(before_) : now;
  observation->people_stamp_ns = now_ns;
  observation->n_parts =
      static_cast<int32_t>(std::min(seen.size(), static_cast<size_t>(robot::kMaxParts)));
  for (int i = 0; i < observation->n_parts; ++i) {
    robot::HumanPart& part = observation->parts[i];
    part = seen[static_cast<size_t>(i)];
    part.stamp_ns = aged ? before_ns_ : now_ns;
    // An offset of the whole part inside the ball of radius error_m; the wander belongs to the
    // person's slot.
    math::Vec3 offset{Draw(&part_[i][0]), Draw(&part_[i][1]), Draw(&part_[i][2])};
    const double length = math::Norm(offset);
    if (length > 1.0) offset = (1.0 / length) * offset;
    part.capsule_W.a = part.capsule_W.a + model_->human.error_m * offset;
    part.capsule_W.b = part.capsule_W.b + model_->human.error_m * offset;
  }
  before_.assign(now.begin(), now.end());
  before_ns_ = now_ns;

  setting.Scan(truth, observation);
  if (observation->n_lidar == 0) return;
  observation->lidar_stamp_ns = now_ns;
  std::array<double, 8> sector{};
  for (size_t k = 0; k < sector.size(); ++k) sector[k] = kSlow * lidar_[k].Next(&random_);
  for (int i = 0; i < observation->n_lidar; ++i) {
    float& range = observation->lidar_m[i];
    if (!std::isfinite(range)) continue;
    const double share = sector[static_cast<size_t>(i * 8 / observation->n_lidar)] +
                         kFast * random_.Uniform(-1.0, 1.0);
    range = std::max(0.0F, range + static_cast<float>(model_->lidar_error_m * share));
  }
}

}  // namespace saferl::sim
