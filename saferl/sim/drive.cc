#include "saferl/sim/drive.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <mutex>
#include <numbers>
#include <thread>

#include "saferl/base/text.h"
#include "saferl/control/decision_log.h"
#include "saferl/control/tick.h"
#include "saferl/robot/human.h"
#include "saferl/robot/wheelchair.h"
#include "saferl/sim/closed_form.h"
#include "saferl/sim/crowd.h"
#include "saferl/sim/lidar.h"
#include "saferl/sim/mujoco_plant.h"

namespace saferl::sim {
namespace {

using robot::Joints;

constexpr double kAhead_m = 1.8;  // on the way to each place: what the planner suggests
constexpr double kLidarRange_m = 6.0;
constexpr double kCollisionStep_s = 0.01;  // contacts are looked for this often
constexpr double kMoving_m_s =
    0.02;  // any point of the footprint faster than this: the chair moves
constexpr double kSeparationCap_m = 5.0;
constexpr double kFramePeriod_s = 0.1;
constexpr double kAcknowledgeAfter_s = 1.0;  // a latched stop is acknowledged after this rest
constexpr int64_t kNanos = 1'000'000'000;

/// A disc's measured place: anywhere within `error_m` of the true one.
Point Measured(Point p, double error_m, Random* random) {
  const double angle = random->Uniform(-std::numbers::pi, std::numbers::pi);
  const double radius = error_m * std::sqrt(random->Uniform());
  return {p.x + radius * std::cos(angle), p.y + radius * std::sin(angle)};
}

robot::HumanPart PartOf(const Disc& disc, int person, int64_t stamp_ns) {
  robot::HumanPart part;
  constexpr double kHeight_m = 1.7;
  part.capsule_W = {{disc.p.x, disc.p.y, disc.radius},
                    {disc.p.x, disc.p.y, kHeight_m - disc.radius},
                    disc.radius};
  part.stamp_ns = stamp_ns;
  part.region = robot::Region::kPedestrian;
  part.person = static_cast<uint8_t>(person);
  return part;
}

/// What of the previous command the motors can reach in one period.
Joints WithinRates(const robot::RobotModel& robot, const Joints& previous, const Joints& wanted) {
  const robot::Limits& limits = robot.limits();
  Joints u{};
  for (int i = 0; i < robot.n(); ++i) {
    const double goal = std::clamp(wanted[i], limits.command_lower[i], limits.command_upper[i]);
    const bool slower = std::abs(goal) < std::abs(previous[i]) && goal * previous[i] >= 0;
    const double step = (slower ? limits.brake[i] : limits.command_rate[i]) * robot.period_s();
    u[i] = std::clamp(goal, previous[i] - step, previous[i] + step);
  }
  return u;
}

class Session {
 public:
  static StatusOr<std::unique_ptr<Session>> Create(const DriveOptions& options);
  StatusOr<DriveResult> Run();

 private:
  explicit Session(const DriveOptions& options)
      : options_(options), random_(options.seed, 0x0d71) {}
  Pose2 TruePose() const {
    const robot::RobotState truth = plant_->Truth();
    return {truth.q[0], truth.q[1], truth.q[2]};
  }
  void Observe(robot::Observation* observation);
  void FillInput();
  Status Decide(DriveResult* result);
  Joints BlendWithoutFilter();
  /// Moves everything by one period; true when something was hit.
  bool Advance(DriveResult* result);
  void AddFrame(DriveResult* result) const;
  void Count(DriveResult* result);

  DriveOptions options_;
  Random random_;
  std::shared_ptr<const Scene> scene_;
  const robot::Wheelchair* chair_ = nullptr;
  std::unique_ptr<Plant> plant_;
  std::unique_ptr<Crowd> crowd_;
  std::unique_ptr<Person> person_;
  std::unique_ptr<Lidar> lidar_;
  control::TickModel model_;
  std::unique_ptr<control::TickData, void (*)(control::TickData*)> data_{nullptr,
                                                                         [](control::TickData*) {}};
  std::unique_ptr<control::DecisionLogWriter> log_;
  control::TickInput input_;
  control::Decision decision_;
  control::IntentData intent_;
  control::ArbitrationData arbitration_;
  policy::PolicyScratch scratch_;
  Joints previous_{};
  double resting_s_ = 0;
  bool stopped_ = false;
};

StatusOr<std::unique_ptr<Session>> Session::Create(const DriveOptions& options) {
  std::unique_ptr<Session> s(new Session(options));
  s->chair_ = dynamic_cast<const robot::Wheelchair*>(options.safety->robot.get());
  if (s->chair_ == nullptr) {
    return absl::InvalidArgumentError(Cat("drive: ", options.safety->robot->name(),
                                          " is no wheelchair; scenes are for wheelchairs"));
  }
  s->scene_ = DriveScene(options);
  if (options.physics) {
    SAFERL_ASSIGN_OR_RETURN(s->plant_, MujocoPlant::Create(options.safety->robot, s->scene_.get()));
  } else {
    s->plant_ = std::make_unique<VelocityPlant>(BoundsOf(*options.safety->robot));
  }
  s->crowd_ = std::make_unique<Crowd>(*s->scene_);
  s->person_ = std::make_unique<Person>(options.person, options.seed,
                                        MakeWheelchairSkill(options.safety->robot, s->scene_),
                                        options.safety->robot, s->scene_->true_goal);
  s->lidar_ = std::make_unique<Lidar>(robot::kMaxLidar, kLidarRange_m);
  SAFERL_ASSIGN_OR_RETURN(s->model_, control::MakeTickModel(options.safety, options.policy));
  s->model_.arbitration.method = options.arbitration;
  s->model_.time_stages = false;
  s->data_ = control::Prepare(s->model_);
  if (!options.log_path.empty() && options.assistance == Assistance::kFull) {
    SAFERL_ASSIGN_OR_RETURN(const control::DecisionLogInfo info,
                            control::DescribeModel(s->model_, options.safety->robot->name()));
    SAFERL_ASSIGN_OR_RETURN(s->log_, control::DecisionLogWriter::Create(options.log_path, info,
                                                                        *options.safety->robot));
  }
  const Pose2& start = s->scene_->start;
  s->plant_->Reset({start.x, start.y, start.yaw}, kNanos);
  return s;
}

void Session::Observe(robot::Observation* o) {
  const int64_t now_ns = plant_->now_ns();
  o->stamp_ns = o->people_stamp_ns = o->lidar_stamp_ns = now_ns;
  ++o->sequence;
  o->robot = plant_->Truth();
  o->robot.stamp_ns = now_ns;
  for (int i = 0; i < 3; ++i) o->robot.q[i] += chair_->state_error_q()[i] * random_.Uniform(-1, 1);
  for (int i = 0; i < 2; ++i)
    o->robot.qd[i] += chair_->state_error_qd()[i] * random_.Uniform(-1, 1);
  const std::span<const Disc> people = crowd_->people();
  o->n_parts = std::min(static_cast<int>(people.size()), robot::kMaxParts);
  for (int i = 0; i < o->n_parts; ++i) {
    Disc seen = people[i];
    seen.p = Measured(seen.p, options_.safety->human.error_m, &random_);
    o->parts[i] = PartOf(seen, i, now_ns);
  }
  const Pose2 pose = TruePose();
  const Point sensor = ToWorld(pose, {chair_->config().p_BLidar.x, chair_->config().p_BLidar.y});
  o->n_lidar = lidar_->beams();
  lidar_->Cast(*scene_, people, {sensor.x, sensor.y, pose.yaw},
               std::span(o->lidar_m).first(o->n_lidar));
  for (int i = 0; i < o->n_lidar; ++i)
    o->lidar_m[i] += static_cast<float>(options_.safety->lidar_error_m * random_.Uniform(-1, 1));
}

void Session::FillInput() {
  Observe(&input_.observation);
  input_.now_ns = plant_->now_ns();
  ++input_.sequence;
  const Pose2 pose = TruePose();
  input_.goals.n = static_cast<int32_t>(scene_->goals.size());
  for (int g = 0; g < input_.goals.n; ++g) {
    const Point p = scene_->fields[g].Ahead(scene_->grid, pose.position(), kAhead_m);
    input_.goals.p_W[g] = {p.x, p.y, 0};
  }
  std::vector<robot::HumanPart> people;
  for (const Disc& disc : crowd_->people())
    people.push_back(PartOf(disc, static_cast<int>(people.size()), 0));
  input_.human = person_->Act({input_.now_ns, plant_->Truth(), people});
  input_.human.acknowledge = stopped_ && resting_s_ > kAcknowledgeAfter_s;
}

/// What the Tick does up to the blend, with the measured state and nothing that could say no.
Joints Session::BlendWithoutFilter() {
  control::UpdateIntent(model_.intent, input_.observation.robot, input_.human.u, input_.goals,
                        &intent_);
  Joints proposal{};
  bool usable = false;
  const int likely = control::MostLikely(intent_.belief, intent_.n_goals);
  if (model_.policy != nullptr && likely >= 0) {
    std::array<float, policy::kMaxWidth> features{};
    std::array<float, robot::kMaxDof> action{};
    const int n_obs = control::ExtractFeatures(model_.features, input_.observation,
                                               input_.goals.p_W[likely], features);
    usable = model_.policy->Forward(
        std::span<const float>(features.data(), static_cast<size_t>(n_obs)),
        std::span<float>(action.data(), static_cast<size_t>(chair_->n())), &scratch_);
    for (int i = 0; i < chair_->n(); ++i) proposal[i] = action[i];
  }
  decision_.policy_u = proposal;
  decision_.policy_used = usable;
  control::BlendInput blend{&model_.intent, &intent_, &input_.goals, &input_.observation.robot,
                            input_.human.u, proposal, usable};
  const Joints u = control::Blend(model_.arbitration, blend, &arbitration_);
  decision_.authority = arbitration_.authority;
  return u;
}

Status Session::Decide(DriveResult* result) {
  FillInput();
  if (options_.assistance == Assistance::kFull) {
    control::Tick(model_, input_, data_.get(), &decision_);
    if (log_ != nullptr) SAFERL_RETURN_IF_ERROR(log_->Write(decision_));
    const bool stopped = decision_.command.mode >= safety::Mode::kControlledStop;
    result->stops += stopped && !stopped_;
    stopped_ = stopped;
    result->interventions += decision_.filter.intervened;
    result->uncertified +=
        decision_.filter.proof == safety::Proof::kNone && decision_.command.u != Joints{};
  } else {
    const Joints wanted =
        options_.assistance == Assistance::kAlone ? input_.human.u : BlendWithoutFilter();
    decision_.input = input_;
    decision_.command = {input_.now_ns,          static_cast<int64_t>(chair_->hold_s() * 1e9),
                         input_.sequence,        WithinRates(*chair_, previous_, wanted),
                         safety::Mode::kNominal, safety::Reason::kNone};
  }
  previous_ = decision_.command.u;
  plant_->Apply(decision_.command, random_.Uniform(0, chair_->reaction_s()));
  return absl::OkStatus();
}

bool Session::Advance(DriveResult* result) {
  const int steps =
      std::max(1, static_cast<int>(std::lround(chair_->period_s() / kCollisionStep_s)));
  for (int i = 0; i < steps; ++i) {
    const Pose2 before = TruePose();
    const double dt = chair_->period_s() / steps;
    plant_->Advance(dt);
    crowd_->Advance(dt, Placed(chair_->footprint(), TruePose()));
    const Pose2 now = TruePose();
    result->path_m += Norm(Point{now.x - before.x, now.y - before.y});
    const Joints rate = plant_->Truth().qd;
    if (chair_->PointSpeed(rate) <= kMoving_m_s) {
      resting_s_ += dt;
      continue;
    }
    resting_s_ = 0;
    const Box body = Placed(chair_->footprint(), now);
    for (const Disc& person : crowd_->people())
      result->min_separation_m =
          std::min(result->min_separation_m, Distance(body, person.p) - person.radius);
    const Contact contact = FindContact(*scene_, crowd_->people(), chair_->footprint(), now);
    if (contact.with == Contact::With::kNothing) continue;
    result->collided = true;
    result->with = contact.with;
    return true;
  }
  return false;
}

void Session::Count(DriveResult* result) {
  ++result->ticks;
  double distance = 0;
  const Joints& upper = chair_->limits().command_upper;
  for (int i = 0; i < chair_->n(); ++i) {
    const double d = (decision_.command.u[i] - input_.human.u[i]) / upper[i];
    distance += d * d;
  }
  result->distortion += std::sqrt(distance);
  result->authority += decision_.authority;
}

void Session::AddFrame(DriveResult* result) const {
  Frame frame;
  frame.t_s = static_cast<double>(plant_->now_ns() - kNanos) * 1e-9;
  frame.chair = TruePose();
  const Joints rate = plant_->Truth().qd;
  frame.v_m_s = rate[0];
  frame.omega_rad_s = rate[1];
  for (size_t i = 0; i < 2; ++i) {
    frame.person_u[i] = input_.human.u[i];
    frame.policy_u[i] = decision_.policy_u[i];
    frame.sent_u[i] = decision_.command.u[i];
  }
  frame.authority = decision_.authority;
  frame.mode = decision_.command.mode;
  frame.reason = decision_.command.reason;
  frame.intervened = decision_.filter.intervened;
  const auto margin = [&](safety::ConstraintId id) {
    return decision_.filter.margin[static_cast<size_t>(id)];
  };
  frame.margin_m =
      std::min(margin(safety::ConstraintId::kSeparation), margin(safety::ConstraintId::kKeepOut));
  for (const Disc& person : crowd_->people()) frame.people.push_back(person.p);
  result->frames.push_back(std::move(frame));
}

StatusOr<DriveResult> Session::Run() {
  DriveResult result;
  result.min_separation_m = kSeparationCap_m;
  double next_frame_s = 0;
  const double period_s = chair_->period_s();
  for (double t_s = 0; t_s < options_.max_time_s; t_s += period_s) {
    result.time_s = t_s;
    SAFERL_RETURN_IF_ERROR(Decide(&result));
    Count(&result);
    if (options_.trace && t_s >= next_frame_s) {
      AddFrame(&result);
      next_frame_s += kFramePeriod_s;
    }
    if (Advance(&result)) break;
    const Point offset = TruePose().position() - scene_->goals[scene_->true_goal];
    if (Norm(offset) <= scene_->goal_radius_m) {
      result.reached = true;
      break;
    }
  }
  result.time_s += period_s;
  result.distortion /= static_cast<double>(result.ticks);
  result.authority /= static_cast<double>(result.ticks);
  if (options_.trace) AddFrame(&result);
  if (log_ != nullptr) SAFERL_RETURN_IF_ERROR(log_->Close());
  return result;
}

}  // namespace

std::string_view Name(Assistance assistance) {
  switch (assistance) {
    case Assistance::kAlone:
      return "alone";
    case Assistance::kBlended:
      return "blended";
    case Assistance::kFull:
      return "full";
  }
  return "unknown";
}

std::shared_ptr<const Scene> DriveScene(const DriveOptions& options) {
  return std::make_shared<const Scene>(MakeScene(options.seed, options.scene));
}

StatusOr<DriveResult> Drive(const DriveOptions& options) {
  SAFERL_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, Session::Create(options));
  return session->Run();
}

StatusOr<std::vector<DriveResult>> DriveMany(const DriveOptions& options, uint64_t first_seed,
                                             int count, int threads,
                                             const std::function<void()>& done) {
  std::vector<DriveResult> results(static_cast<size_t>(count));
  Status failed;
  std::mutex mutex;
  std::atomic<int> next = 0;
  const auto work = [&] {
    for (int i = next++; i < count; i = next++) {
      DriveOptions one = options;
      one.seed = first_seed + static_cast<uint64_t>(i);
      StatusOr<DriveResult> result = Drive(one);
      const std::lock_guard lock(mutex);
      if (!result.ok()) {
        failed = result.status();
        next = count;
        return;
      }
      results[static_cast<size_t>(i)] = *std::move(result);
      if (done) done();
    }
  };
  std::vector<std::jthread> pool;
  for (int i = 1; i < threads; ++i) pool.emplace_back(work);
  work();
  pool.clear();
  SAFERL_RETURN_IF_ERROR(failed);
  return results;
}

}  // namespace saferl::sim
