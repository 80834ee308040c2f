#include "saferl/learn/tasks/wheelchair_task.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numbers>
#include <optional>

#include "saferl/base/random.h"
#include "saferl/control/features.h"
#include "saferl/robot/wheelchair.h"
#include "saferl/sim/closed_form.h"
#include "saferl/sim/crowd.h"
#include "saferl/sim/lidar.h"
#include "saferl/sim/scene.h"

namespace saferl::learn {
namespace {

constexpr double kDecision_s = 0.1;
constexpr int kHorizon = 300;  // decisions: 30 s
constexpr double kSuccess = 3.0, kTime = 0.01, kJerk = 0.005;
constexpr double kMaxProgress_m = 0.5;
constexpr double kNear_m = 0.08;
constexpr double kFadeIn_m = 0.25;  // depth in the separation zone that counts in full
constexpr double kWalking_m_s = 1.6, kPeopleError_m = 0.05, kLidarError_m = 0.02;
constexpr double kMinAhead_m = 1.2, kMaxAhead_m = 2.6, kTestAhead_m = 1.8;
constexpr int kBeams = 120;
constexpr double kLidarRange_m = 6.0;
constexpr double kPersonHeight_m = 1.7;
/// A policy's costs differ more between scenes than between drives in one scene: many scenes make
/// the three sets alike.
constexpr int kScenes[] = {384, 512, 1024};
/// Seeds of the scenes; far from the small numbers that people choose for demos and tests.
constexpr uint64_t kSceneSeed[] = {0x7a100000, 0x7a200000, 0x7a400000};

/// Scenes made when first needed, shared by all copies and threads.
class ScenePool {
 public:
  ScenePool(uint64_t seed, int n) : seed_(seed), made_(n), scenes_(n) {}
  const sim::Scene& Get(int i) {
    std::call_once(made_[i],
                   [&] { scenes_[i].emplace(sim::MakeScene(seed_ + static_cast<uint64_t>(i))); });
    return *scenes_[i];
  }
  int size() const { return static_cast<int>(scenes_.size()); }

 private:
  uint64_t seed_;
  std::vector<std::once_flag> made_;
  std::vector<std::optional<sim::Scene>> scenes_;
};

struct Copy {
  explicit Copy(const sim::PlantBounds& bounds) : plant(bounds) {}
  Random random;
  const sim::Scene* scene = nullptr;
  const sim::DistanceField* field = nullptr;
  std::optional<sim::Crowd> crowd;
  sim::VelocityPlant plant;
  robot::Observation observation;
  double reaction_s = 0, ahead_m = 0, left_m = 0;  ///< left_m: way to the goal
  double noise = 0;                                ///< share of the measurement bounds, [0, 1]
  std::array<float, 2> action{};
  int t = 0;
};

class WheelchairTask final : public Task {
 public:
  WheelchairTask(std::shared_ptr<const robot::RobotModel> model, const robot::Wheelchair* chair,
                 int n_envs, TaskUse use);
  const TaskSpec& spec() const override { return spec_; }
  int n_envs() const override { return static_cast<int>(copies_.size()); }
  void Reset(int env, uint64_t seed, std::span<float> observation) override;
  StepResult Step(int env, std::span<const float> action, std::span<float> observation) override;

 private:
  sim::Pose2 RandomStart(const sim::Scene& scene, const sim::DistanceField& field,
                         Random* random) const;
  void Observe(Copy* copy, std::span<float> out) const;
  void AddCosts(const Copy& copy, bool touched, StepResult* result) const;

  std::shared_ptr<const robot::RobotModel> model_;
  const robot::Wheelchair* chair_;
  control::FeatureModel features_;
  sim::Lidar lidar_;
  TaskUse use_;
  TaskSpec spec_;
  ScenePool pool_;
  std::vector<Copy> copies_;
};

sim::PlantBounds BoundsOf(const robot::Wheelchair& chair) {
  sim::PlantBounds bounds;
  bounds.n = chair.n();
  bounds.drive_rate = chair.limits().command_rate;
  bounds.brake_rate = chair.limits().brake;
  bounds.tracking = chair.config().tracking_error;
  bounds.planar_base = true;
  return bounds;
}

sim::Pose2 PoseOf(const robot::Joints& q) { return {q[0], q[1], q[2]}; }

WheelchairTask::WheelchairTask(std::shared_ptr<const robot::RobotModel> model,
                               const robot::Wheelchair* chair, int n_envs, TaskUse use)
    : model_(std::move(model)),
      chair_(chair),
      features_(control::MakeFeatureModel(model_)),
      lidar_(kBeams, kLidarRange_m),
      use_(use),
      pool_(kSceneSeed[static_cast<int>(use)], kScenes[static_cast<int>(use)]) {
  for (int i = 0; i < n_envs; ++i) copies_.emplace_back(BoundsOf(*chair));
  spec_.name = "wheelchair";
  spec_.robot = model_->name();
  spec_.n_obs = control::FeatureCount(features_);
  spec_.n_act = model_->n();
  spec_.n_costs = 2;
  spec_.horizon = kHorizon;
  spec_.cost_names = {"contact", "intrusion"};
  spec_.cost_limits = {0.3, 2.0};
  spec_.observation = control::ObservationSchema(features_);
  spec_.action = control::ActionSchema(features_);
  control::ActionScaling(features_, &spec_.action_scale, &spec_.action_offset);
}

/// True when nobody's way leads through the turning circle of a chair that stands at `p`: what
/// MakeScene promises for its own start.
bool KeptClear(const sim::Scene& scene, sim::Point p) {
  constexpr double kClear_m = 1.2;
  for (const sim::Walk& walk : scene.walks) {
    for (size_t i = 1; i < walk.way.size(); ++i)
      if (sim::SegmentDistance(p, walk.way[i - 1], walk.way[i]) < kClear_m) return false;
  }
  return true;
}

/// A free pose, off everybody's way, from which the goal can be reached; the scene's own start when
/// none is found.
sim::Pose2 WheelchairTask::RandomStart(const sim::Scene& scene, const sim::DistanceField& field,
                                       Random* random) const {
  constexpr int kTries = 40;
  constexpr double kFree_m = 0.10, kShortestWay_m = 1.5;
  for (int i = 0; i < kTries; ++i) {
    const sim::Pose2 pose{random->Uniform(scene.x0, scene.x1), random->Uniform(scene.y0, scene.y1),
                          random->Uniform(-std::numbers::pi, std::numbers::pi)};
    if (!field.Reachable(pose.position()) || field.At(pose.position()) < kShortestWay_m) continue;
    if (!KeptClear(scene, pose.position())) continue;
    if (sim::FreeDistance(scene, {}, chair_->footprint(), pose, 2 * kFree_m) >= kFree_m)
      return pose;
  }
  return scene.start;
}

void WheelchairTask::Reset(int env, uint64_t seed, std::span<float> observation) {
  Copy& copy = copies_[env];
  copy.random = Random(seed);
  Random& random = copy.random;
  copy.scene = &pool_.Get(random.Index(pool_.size()));
  const bool train = use_ == TaskUse::kTrain;
  const int goal =
      train ? random.Index(static_cast<int>(copy.scene->goals.size())) : copy.scene->true_goal;
  copy.field = &copy.scene->fields[goal];
  const sim::Pose2 start = train && random.Chance(0.7)
                               ? RandomStart(*copy.scene, *copy.field, &random)
                               : copy.scene->start;
  copy.crowd.emplace(*copy.scene);
  copy.reaction_s = random.Uniform(0, chair_->reaction_s());
  copy.ahead_m = train ? random.Uniform(kMinAhead_m, kMaxAhead_m) : kTestAhead_m;
  copy.noise = train ? random.Uniform() : 1.0;
  sim::Freedom& freedom = copy.plant.freedom();
  freedom.substep_s = 0.01;
  freedom.lag = random.Uniform(0.5, 1.0);
  for (int i = 0; i < chair_->n(); ++i) freedom.tracking[i] = random.Uniform(-1, 1);
  copy.plant.Reset({start.x, start.y, start.yaw}, 0);
  // Pedestrians are anywhere on their ways when the drive begins.
  const sim::Box body = sim::Placed(chair_->footprint(), start);
  for (int i = random.Index(60); i > 0; --i) copy.crowd->Advance(kDecision_s, body);
  copy.observation = {};
  copy.action = {};
  copy.t = 0;
  copy.left_m = copy.field->At(start.position());
  Observe(&copy, observation);
}

void WheelchairTask::Observe(Copy* copy, std::span<float> out) const {
  robot::Observation& o = copy->observation;
  Random& random = copy->random;
  const robot::RobotState truth = copy->plant.Truth();
  const auto measured = [&](double value, double error) {
    return value + copy->noise * error * random.Uniform(-1, 1);
  };
  o.stamp_ns = o.people_stamp_ns = o.lidar_stamp_ns = copy->plant.now_ns();
  o.robot = truth;
  for (int i = 0; i < 3; ++i) o.robot.q[i] = measured(truth.q[i], chair_->state_error_q()[i]);
  for (int i = 0; i < 2; ++i) o.robot.qd[i] = measured(truth.qd[i], chair_->state_error_qd()[i]);
  const std::span<const sim::Disc> people = copy->crowd->people();
  o.n_parts = std::min<int>(static_cast<int>(people.size()), robot::kMaxParts);
  for (int i = 0; i < o.n_parts; ++i) {
    robot::HumanPart& part = o.parts[i];
    const double x = measured(people[i].p.x, kPeopleError_m),
                 y = measured(people[i].p.y, kPeopleError_m);
    part.capsule_W = {
        {x, y, people[i].radius}, {x, y, kPersonHeight_m - people[i].radius}, people[i].radius};
    part.stamp_ns = o.stamp_ns;
    part.person = static_cast<uint8_t>(i);
  }
  const sim::Pose2 pose = PoseOf(truth.q);
  const math::Vec3& origin = chair_->config().p_BLidar;
  const sim::Point sensor = sim::ToWorld(pose, {origin.x, origin.y});
  o.n_lidar = kBeams;
  lidar_.Cast(*copy->scene, people, {sensor.x, sensor.y, pose.yaw},
              std::span(o.lidar_m).first(kBeams));
  for (int i = 0; i < kBeams; ++i)
    o.lidar_m[i] = static_cast<float>(measured(o.lidar_m[i], kLidarError_m));
  const sim::Point goal = copy->field->Ahead(copy->scene->grid, pose.position(), copy->ahead_m);
  control::ExtractFeatures(features_, o, {goal.x, goal.y, 0}, out);
}

void WheelchairTask::AddCosts(const Copy& copy, bool touched, StepResult* result) const {
  const robot::RobotState truth = copy.plant.Truth();
  const sim::Pose2 pose = PoseOf(truth.q);
  const double free_m = sim::FreeDistance(*copy.scene, {}, chair_->footprint(), pose, kNear_m);
  result->cost[0] = touched ? 1.0 : kDecision_s * (1.0 - std::min(1.0, free_m / kNear_m));
  const double v = chair_->PointSpeed(truth.qd), brake = chair_->limits().brake[0],
               reaction = chair_->hold_s();
  const double zone =
      kPeopleError_m + kWalking_m_s * (reaction + v / brake) + v * reaction + 0.5 * v * v / brake;
  double worst = 0;
  for (const sim::Disc& person : copy.crowd->people()) {
    const sim::Point at = sim::ToBody(pose, person.p);
    const double gap = math::SignedDistance(chair_->footprint(), at.x, at.y) - person.radius;
    worst = std::max(worst, std::clamp((zone - gap) / kFadeIn_m, 0.0, 1.0));
  }
  result->cost[1] = kDecision_s * worst;
}

StepResult WheelchairTask::Step(int env, std::span<const float> action,
                                std::span<float> observation) {
  Copy& copy = copies_[env];
  StepResult result;
  std::array<float, 2> squashed{};
  double jerk = 0;
  for (int i = 0; i < 2; ++i) {
    squashed[i] = std::tanh(action[i]);
    jerk += (squashed[i] - copy.action[i]) * (squashed[i] - copy.action[i]);
  }
  copy.action = squashed;
  safety::Command command;
  command.issued_ns = copy.plant.now_ns();
  command.valid_for_ns = std::llround(2e9 * kDecision_s);
  control::ActionToCommand(features_, squashed, &command.u);
  const robot::RobotState before = copy.plant.Truth();
  copy.plant.Apply(command, copy.reaction_s);
  copy.plant.Advance(kDecision_s);

  robot::RobotState after = copy.plant.Truth();
  using With = sim::Contact::With;
  const With with =
      sim::FindContact(*copy.scene, copy.crowd->people(), chair_->footprint(), PoseOf(after.q))
          .with;
  const bool touched = with == With::kWall || with == With::kFurniture;
  if (with == With::kPedestrian) {  // who walked into the chair holds it; that is deep in the
                                    // separation zone
    copy.plant.Reset(before.q, copy.plant.now_ns());
    after = copy.plant.Truth();
  }
  copy.crowd->Advance(kDecision_s, sim::Placed(chair_->footprint(), PoseOf(after.q)));
  AddCosts(copy, touched, &result);

  const sim::Point at{after.q[0], after.q[1]};
  const double left = copy.field->At(at);
  if (std::isfinite(left)) {
    result.reward += std::clamp(copy.left_m - left, -kMaxProgress_m, kMaxProgress_m);
    copy.left_m = left;
  }
  result.reward -= kTime + kJerk * jerk;
  result.success = !touched && sim::Norm(copy.field->goal() - at) <= copy.scene->goal_radius_m;
  result.terminated = touched || result.success;
  if (result.success) result.reward += kSuccess;
  result.truncated = !result.terminated && ++copy.t >= kHorizon;
  Observe(&copy, observation);
  return result;
}

}  // namespace

StatusOr<std::unique_ptr<Task>> MakeWheelchairTask(int n_envs, TaskUse use) {
  SAFERL_ASSIGN_OR_RETURN(const std::shared_ptr<const robot::RobotModel> model,
                          robot::LoadRobot("wheelchair"));
  const auto* chair = dynamic_cast<const robot::Wheelchair*>(model.get());
  if (chair == nullptr)
    return absl::InvalidArgumentError(
        "robots/wheelchair.yaml: kind: is not a wheelchair; restore the data file");
  return std::make_unique<WheelchairTask>(model, chair, n_envs, use);
}

}  // namespace saferl::learn
