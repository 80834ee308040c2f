#include "saferl/sim/drive.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <thread>

#include "fmt/format.h"
#include "saferl/base/data_path.h"
#include "saferl/control/decision_log.h"
#include "saferl/sim/closed_form.h"
#include "saferl/sim/mujoco_plant.h"
#include "saferl/sim/rounds.h"
#include "saferl/sim/sensors.h"

namespace saferl::sim {
namespace {

using robot::Joints;

constexpr double kAcknowledgeAfter_s = 1.0;
constexpr double kLateTicks = 2.5;
constexpr double kChangedShare =
    0.02;  // of the limits: a command that differs by more was intervened in

/// Share of its limits by which two commands differ, worst component.
double Difference(const robot::RobotModel& robot, const Joints& a, const Joints& b) {
  double worst = 0;
  for (int i = 0; i < robot.n(); ++i) {
    const double range =
        std::max(robot.limits().command_upper[i], -robot.limits().command_lower[i]);
    if (std::isfinite(a[i]) && std::isfinite(b[i]))
      worst = std::max(worst, std::abs(a[i] - b[i]) / range);
  }
  return worst;
}

/// What the actuators make of a wish: inside the limits, no faster than they can change.
Joints Actuated(const robot::RobotModel& robot, const Joints& previous, const Joints& wish) {
  Joints u = previous;
  for (int i = 0; i < robot.n(); ++i) {
    const double target =
        std::clamp(wish[i], robot.limits().command_lower[i], robot.limits().command_upper[i]);
    const bool slowing =
        std::abs(target) < std::abs(previous[i]) && robot.kind() != robot::Kind::kExoskeleton;
    const double rate = slowing ? robot.limits().brake[i] : robot.limits().command_rate[i];
    const double step = std::isfinite(rate) ? rate * robot.period_s() : 1e9;
    u[i] += std::clamp(target - previous[i], -step, step);
  }
  return u;
}

/// Person and policy blended without filter and modes.
class BareBlend {
 public:
  explicit BareBlend(const control::TickModel& model)
      : model_(model), features_(static_cast<size_t>(control::FeatureCount(model.features))) {}

  Joints Next(const control::TickInput& input) {
    const robot::RobotModel& robot = *model_.safety->robot;
    control::UpdateIntent(model_.intent, input.observation.robot, input.human.u, input.goals,
                          &intent_);
    const int likely = std::max(0, control::MostLikely(intent_.belief, input.goals.n));
    control::BlendInput blend;
    blend.intent = &model_.intent;
    blend.belief = &intent_;
    blend.goals = &input.goals;
    blend.state = &input.observation.robot;
    blend.human_u = input.human.u;
    if (model_.policy != nullptr) {
      std::vector<float> action(static_cast<size_t>(robot.n()));
      control::ExtractFeatures(model_.features, input.observation, input.goals.p_W[likely],
                               features_);
      blend.policy_usable = model_.policy->Forward(features_, action);
      for (int i = 0; i < robot.n(); ++i) blend.policy_u[i] = action[static_cast<size_t>(i)];
    }
    return control::Blend(model_.arbitration, blend, &arbitration_);
  }
  double authority() const { return arbitration_.authority; }

 private:
  const control::TickModel& model_;
  control::IntentData intent_;
  control::ArbitrationData arbitration_;
  std::vector<float> features_;
};

class Episode {
 public:
  Episode(const DriveModel& model, const DriveOptions& options)
      : model_(model),
        options_(options),
        robot_(model.robot()),
        random_(options.seed, 31),
        sensors_(model.tick->safety, options.seed),
        tick_data_(control::Prepare(*model.tick)),
        bare_(*model.tick) {
    result_.reason_first_s.fill(-1);
  }

  StatusOr<DriveResult> Run() {
    SAFERL_RETURN_IF_ERROR(Start());
    const double period = robot_.period_s();
    while (t_s_ < options_.max_time_s) {
      const double step = TicksLate(options_.faults, t_s_) ? kLateTicks * period : period;
      SAFERL_RETURN_IF_ERROR(OneTick());
      Pass(step);
      t_s_ += step;
      if (result_.collision != Hit::kNothing) break;
      if (setting_->n_goals() > 0 && !result_.goal_reached && Reached()) {
        result_.goal_reached = true;
        result_.time_s = t_s_;
        if (options_.stop_at_goal) break;
      }
    }
    if (!result_.goal_reached) result_.time_s = t_s_;
    if (result_.ticks > 0) result_.mean_distortion /= static_cast<double>(result_.ticks);
    if (log_ != nullptr) SAFERL_RETURN_IF_ERROR(log_->Close());
    return std::move(result_);
  }

 private:
  Status Start() {
    const std::shared_ptr<const robot::RobotModel> robot = model_.tick->safety->robot;
    switch (robot->kind()) {
      case robot::Kind::kWheelchair: {
        std::shared_ptr<const Scene> scene = options_.scene;
        if (scene == nullptr)
          scene = std::make_shared<Scene>(MakeScene(options_.seed, options_.scene_options));
        setting_ = MakeWheelchairSetting(robot, scene, options_.recording);
        break;
      }
      case robot::Kind::kArm:
        setting_ = MakeArmSetting(robot, options_.seed, options_.recording);
        break;
      case robot::Kind::kExoskeleton:
        setting_ = MakeExoskeletonSetting(robot, options_.seed);
        break;
    }
    if (options_.physics == Physics::kMujoco || robot->kind() == robot::Kind::kExoskeleton) {
      SAFERL_ASSIGN_OR_RETURN(auto plant, MujocoPlant::Create(robot, setting_->scene()));
      mujoco_ = plant.get();
      plant_ = std::move(plant);
    } else {
      auto plant = std::make_unique<VelocityPlant>(BoundsOf(*robot));
      plant->freedom().lag = 0.5;
      plant->freedom().substep_s = 0.25 * robot->period_s();
      plant_ = std::move(plant);
    }
    plant_->Reset(setting_->start(), 0);
    std::unique_ptr<Skill> skill = setting_->MakeSkill();
    if (options_.rounds) skill = MakeRounds(std::move(skill));
    person_ = std::make_unique<Person>(options_.person, options_.seed, std::move(skill), robot,
                                       setting_->true_goal());
    delay_s_ = random_.Uniform(0.3, 0.95) * robot->reaction_s();
    result_.min_separation_m = result_.min_moving_separation_m =
        std::numeric_limits<double>::infinity();
    if (!options_.log_path.empty() && options_.column == Column::kFull) {
      SAFERL_ASSIGN_OR_RETURN(const control::DecisionLogInfo info,
                              control::DescribeModel(*model_.tick, model_.robot_file));
      SAFERL_ASSIGN_OR_RETURN(log_,
                              control::DecisionLogWriter::Create(options_.log_path, info, *robot));
    }
    return absl::OkStatus();
  }

  bool Reached() const { return person_->skill().Reached(plant_->Truth(), setting_->true_goal()); }

  bool Moving(const robot::RobotState& truth) const {
    for (int i = 0; i < robot_.n(); ++i) {
      if (std::abs(truth.qd[i]) > 0.01) return true;
    }
    return false;
  }

  /// Fills the tick's input from the world.
  void See(const robot::RobotState& truth) {
    before_ = input_;
    input_ = {};
    input_.now_ns = truth.stamp_ns;
    input_.sequence = static_cast<uint64_t>(++result_.ticks);
    const Joints interaction = mujoco_ != nullptr ? mujoco_->interaction() : Joints{};
    sensors_.Measure(truth, *setting_, interaction, &input_.observation);
    const bool recorded = options_.trace_of_person != nullptr;
    input_.human = recorded ? options_.trace_of_person->At(truth.stamp_ns, 0)
                            : person_->Act({truth.stamp_ns, truth, setting_->people()});
    input_.goals = setting_->GoalsAhead(input_.observation.robot);
    const bool latched = decision_.command.mode == safety::Mode::kProtectiveStop;
    rest_since_s_ = latched && !Moving(truth) ? std::min(rest_since_s_, t_s_) : 1e9;
    if (!recorded)
      input_.human.acknowledge =
          options_.acknowledges && latched && t_s_ - rest_since_s_ > kAcknowledgeAfter_s;
    ApplyFaults(options_.faults, t_s_, before_, &input_);
  }

  Status OneTick() {
    const robot::RobotState truth = plant_->Truth();
    See(truth);
    const Joints wish = input_.human.u;
    if (options_.column == Column::kFull && options_.decide) {
      SAFERL_RETURN_IF_ERROR(options_.decide(input_, &decision_));
    } else if (options_.column == Column::kFull) {
      control::Tick(*model_.tick, input_, tick_data_.get(), &decision_);
      if (log_ != nullptr) SAFERL_RETURN_IF_ERROR(log_->Write(decision_));
    } else {
      decision_.command.issued_ns = input_.now_ns;
      decision_.command.valid_for_ns = std::llround(1e9 * robot_.hold_s());
      const Joints blended = options_.column == Column::kBlended ? bare_.Next(input_) : wish;
      decision_.command.u = Actuated(robot_, sent_, blended);
      decision_.authority = bare_.authority();
    }
    Record(truth, wish);
    sent_ = decision_.command.u;
    safety::Command command = decision_.command;
    command.u = acting_ = DriveFaults(options_.faults, t_s_, robot_, acting_, command.u);
    plant_->Apply(command, delay_s_);
    if (mujoco_ != nullptr) mujoco_->set_wearer_torque(setting_->WearerTorque(t_s_));
    return absl::OkStatus();
  }

  void Record(const robot::RobotState& truth, const Joints& wish) {
    const safety::Command& command = decision_.command;
    const double difference = Difference(robot_, command.u, wish);
    result_.mean_distortion += difference;
    ++result_.mode_ticks[static_cast<size_t>(command.mode)];
    const size_t reason = static_cast<size_t>(command.reason);
    if (result_.reason_ticks[reason]++ == 0) result_.reason_first_s[reason] = t_s_;
    if (options_.column == Column::kFull) {
      if (Difference(robot_, command.u, decision_.blended) > kChangedShare &&
          decision_.filter.intervened) {
        ++result_.interventions;
      }
      if (decision_.filter.proof == safety::Proof::kNone && Moving(truth))
        ++result_.unproved_moving_ticks;
    }
    if (options_.witness != nullptr) options_.witness->OnTick(input_, decision_);
    if (options_.trace && t_s_ >= next_frame_s_) {
      next_frame_s_ += options_.trace_period_s;
      result_.trace.push_back(Frame(truth, wish));
    }
  }

  TraceFrame Frame(const robot::RobotState& truth, const Joints& wish) const {
    TraceFrame frame;
    frame.t_s = t_s_;
    frame.q = truth.q;
    frame.human_u = wish;
    frame.sent_u = decision_.command.u;
    frame.mode = decision_.command.mode;
    frame.reason = decision_.command.reason;
    frame.separation_m = setting_->Separation(truth);
    frame.margin_m =
        decision_.filter.margin[static_cast<size_t>(safety::ConstraintId::kSeparation)];
    frame.authority = decision_.authority;
    for (const robot::HumanPart& part : setting_->people())
      frame.people.push_back({part.capsule_W.a.x, part.capsule_W.a.y});
    return frame;
  }

  /// Time passes; looks for collisions four times a period.
  void Pass(double step_s) {
    const int parts =
        std::max(1, static_cast<int>(std::lround(step_s / std::max(robot_.period_s() / 4, 0.002))));
    for (int i = 0; i < parts; ++i) {
      const robot::RobotState before = plant_->Truth();
      setting_->Advance(step_s / parts, before);
      plant_->Advance(step_s / parts);
      const robot::RobotState truth = plant_->Truth();
      const double separation = setting_->Separation(truth);
      result_.min_separation_m = std::min(result_.min_separation_m, separation);
      if (Moving(truth))
        result_.min_moving_separation_m = std::min(result_.min_moving_separation_m, separation);
      result_.travelled_m += setting_->Travelled(before, truth);
      if (result_.collision == Hit::kNothing) result_.collision = setting_->Collision(truth);
      if (options_.witness != nullptr) options_.witness->OnInstant(truth, setting_->people());
    }
  }

  const DriveModel& model_;
  const DriveOptions& options_;
  const robot::RobotModel& robot_;
  Random random_;
  Sensors sensors_;
  std::unique_ptr<control::TickData, void (*)(control::TickData*)> tick_data_;
  BareBlend bare_;
  std::unique_ptr<Setting> setting_;
  std::unique_ptr<Plant> plant_;
  MujocoPlant* mujoco_ = nullptr;
  std::unique_ptr<Person> person_;
  std::unique_ptr<control::DecisionLogWriter> log_;
  control::TickInput input_, before_;
  control::Decision decision_;
  Joints sent_{}, acting_{};
  double t_s_ = 0, delay_s_ = 0, next_frame_s_ = 0, rest_since_s_ = 1e9;
  DriveResult result_;
};

}  // namespace

StatusOr<DriveModel> MakeDriveModel(const std::string& robot,
                                    std::shared_ptr<const policy::Policy> policy,
                                    std::span<const robot::Override> overrides) {
  DriveModel model;
  SAFERL_ASSIGN_OR_RETURN(model.robot_file, FindNamed(robot, "robots", ".yaml"));
  SAFERL_ASSIGN_OR_RETURN(auto safety, safety::LoadSafetyModel(robot, overrides));
  SAFERL_ASSIGN_OR_RETURN(control::TickModel tick,
                          control::MakeTickModel(std::move(safety), std::move(policy)));
  tick.time_stages = false;
  model.tick = std::make_shared<const control::TickModel>(std::move(tick));
  return model;
}

StatusOr<DriveResult> Drive(const DriveModel& model, const DriveOptions& options) {
  return std::make_unique<Episode>(model, options)->Run();
}

StatusOr<std::vector<DriveResult>> DriveAll(const DriveModel& model,
                                            std::span<const DriveOptions> options, int threads,
                                            const std::function<void(int)>& progress) {
  std::vector<DriveResult> results(options.size());
  std::vector<Status> status(options.size());
  std::atomic<size_t> next{0};
  std::mutex mutex;
  int done = 0;
  const auto work = [&] {
    for (size_t i = next++; i < options.size(); i = next++) {
      StatusOr<DriveResult> result = Drive(model, options[i]);
      status[i] = result.status();
      if (result.ok()) results[i] = *std::move(result);
      const std::lock_guard<std::mutex> lock(mutex);
      ++done;
      if (progress) progress(done);
    }
  };
  std::vector<std::thread> workers;
  for (int k = 1; k < threads; ++k) workers.emplace_back(work);
  work();
  for (std::thread& worker : workers) worker.join();
  for (const Status& one : status) SAFERL_RETURN_IF_ERROR(one);
  return results;
}

}  // namespace saferl::sim
