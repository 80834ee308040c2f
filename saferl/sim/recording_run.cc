#include "saferl/sim/recording_run.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <mutex>
#include <thread>

#include "fmt/format.h"
#include "saferl/base/data_path.h"
#include "saferl/safety/certifier/chain.h"

namespace saferl::sim {
namespace {

using safety::certifier::RobotData;
using safety::certifier::RobotKind;

constexpr double kAbove = 1.05;  // of the fastest recorded speed
constexpr double kMinute_s = 60;
constexpr double kRounding_m = 1e-9;

/// An open square with a free start and three corners to drive to.
StatusOr<std::shared_ptr<const Scene>> Square() {
  auto scene = std::make_shared<Scene>();
  constexpr double kSide_m = 14;
  scene->x1 = scene->y1 = kSide_m;
  const double h = 0.5 * kSide_m;
  scene->boxes = {{h, -0.1, 0, h, 0.1},
                  {h, kSide_m + 0.1, 0, h, 0.1},
                  {-0.1, h, 0, 0.1, h},
                  {kSide_m + 0.1, h, 0, 0.1, h}};
  scene->kinds.assign(4, BoxKind::kWall);
  scene->start = {1.5, 1.5, 0.8};
  scene->goals = {{12.5, 12.5}, {12.5, 1.5}, {1.5, 12.5}};
  SAFERL_RETURN_IF_ERROR(FinishScene(SceneOptions{}.clearance_m, scene.get()));
  return scene;
}

/// How fast the points of the tracked parts really are.
struct Speeds {
  double body_max_m_s = 0, reach_max_m_s = 0;
  double too_fast_share = 0;
};

Speeds SkeletonSpeeds(const Recording& recording, const BreachBounds& standard) {
  // A fine step: the hand's axis turns with the forearm between two samples.
  constexpr double kStep_s = 0.001;
  std::array<robot::HumanPart, robot::kBodyParts> before, now;
  Speeds speeds;
  int64_t steps = 0, too_fast = 0;
  robot::BodyParts(recording.PoseAt(0), {}, 0, 0, before);
  for (double t = kStep_s; t <= recording.end_s; t += kStep_s, ++steps) {
    robot::BodyParts(recording.PoseAt(t), {}, 0, 0, now);
    bool above = false;
    for (size_t i = 0; i < now.size(); ++i) {
      const double moved = std::max(math::Norm(now[i].capsule_W.a - before[i].capsule_W.a),
                                    math::Norm(now[i].capsule_W.b - before[i].capsule_W.b));
      const bool reaching = robot::IsReaching(now[i].region);
      double& most = reaching ? speeds.reach_max_m_s : speeds.body_max_m_s;
      most = std::max(most, moved / kStep_s);
      above = above ||
              moved / kStep_s > (reaching ? standard.reach_speed_m_s : standard.body_speed_m_s);
    }
    too_fast += above;
    before = now;
  }
  if (steps > 0) speeds.too_fast_share = static_cast<double>(too_fast) / static_cast<double>(steps);
  return speeds;
}

Speeds TrackSpeeds(const Recording& recording, const BreachBounds& standard) {
  // Share of the persons' time, not of the clock: in a crowd somebody always hurries.
  Speeds speeds;
  double seen_s = 0, too_fast_s = 0;
  for (const Track& track : recording.tracks) {
    for (size_t k = 1; k < track.t_s.size(); ++k) {
      const double dt = track.t_s[k] - track.t_s[k - 1];
      const double speed = Norm(track.p_m[k] - track.p_m[k - 1]) / dt;
      speeds.body_max_m_s = std::max(speeds.body_max_m_s, speed);
      seen_s += dt;
      if (speed > standard.body_speed_m_s) too_fast_s += dt;
    }
  }
  if (seen_s > 0) speeds.too_fast_share = too_fast_s / seen_s;
  return speeds;
}

/// Judges one drive: true contacts by the certifier's geometry, breaches by breach.h.
class Judge final : public Witness {
 public:
  Judge(const RobotData& data, const BreachBounds& bounds) : data_(data), breaches_(bounds) {}

  void OnTick(const control::TickInput& input, const control::Decision& decision) override {
    const robot::Observation& seen = input.observation;
    breaches_.Tick({seen.parts.data(), static_cast<size_t>(seen.n_parts)},
                   decision.command.mode >= safety::Mode::kProtectiveStop);
  }

  void OnInstant(const robot::RobotState& truth,
                 std::span<const robot::HumanPart> people) override {
    if (std::all_of(truth.qd.begin(), truth.qd.begin() + data_.n, [](double v) { return v == 0; }))
      return;
    touched_ +=
        data_.kind == RobotKind::kArm ? ArmTouches(truth, people) : ChairTouches(truth, people);
  }

  int64_t touched() const { return touched_; }
  double nearest_m() const { return nearest_m_; }
  BreachCount breach() const { return breaches_.Count(); }

 private:
  bool Near(double gap_m) {
    nearest_m_ = std::min(nearest_m_, gap_m);
    return gap_m < -kRounding_m;
  }

  bool ChairTouches(const robot::RobotState& truth, std::span<const robot::HumanPart> people) {
    safety::certifier::PosedRectangle body = data_.footprint;
    body.x = truth.q[0];
    body.y = truth.q[1];
    body.yaw = truth.q[2];
    bool touches = false;
    for (const robot::HumanPart& part : people) {
      const math::Capsule& c = part.capsule_W;  // upright
      touches =
          Near(safety::certifier::RectangleToPoint(body, {c.a.x, c.a.y}) - c.radius) || touches;
    }
    return touches;
  }

  bool ArmTouches(const robot::RobotState& truth, std::span<const robot::HumanPart> people) {
    const safety::certifier::ChainPlace place = PlaceChain(data_, truth.q);
    bool touches = false;
    for (int k = 0; k < place.n; ++k) {
      if (safety::certifier::TurningBefore(data_, k) == 0) continue;
      for (const robot::HumanPart& part : people) {
        if (!Near(safety::certifier::CapsuleToCapsule(place.link_W[k], part.capsule_W))) continue;
        const double allowed = data_.contact_speed_m_s[static_cast<size_t>(part.region)];
        touches =
            touches || allowed == 0 || LinkSpeed(data_, place, k, truth.qd) > allowed + kRounding_m;
      }
    }
    return touches;
  }

  const RobotData& data_;
  BreachJudge breaches_;
  int64_t touched_ = 0;
  double nearest_m_ = std::numeric_limits<double>::infinity();
};

struct Field {
  const RobotData& data;
  const std::string& robot;
  DriveOptions options;
};

StatusOr<RecordingDrive> OneDrive(const Field& field, double body_m_s, double reach_m_s) {
  const std::array<robot::Override, 2> overrides = {
      robot::Override{"safety.human.body_speed_m_s", body_m_s},
      robot::Override{"safety.human.reach_speed_m_s", reach_m_s}};
  SAFERL_ASSIGN_OR_RETURN(const DriveModel model, MakeDriveModel(field.robot, nullptr, overrides));
  Judge judge(field.data, {body_m_s, reach_m_s, field.data.human_error_m});
  DriveOptions options = field.options;
  options.witness = &judge;
  SAFERL_ASSIGN_OR_RETURN(const DriveResult result, Drive(model, options));
  RecordingDrive drive;
  drive.body_speed_m_s = body_m_s;
  drive.reach_speed_m_s = reach_m_s;
  drive.touched_instants = judge.touched();
  drive.unproved_ticks = result.unproved_moving_ticks;
  drive.hit = result.collision;
  drive.nearest_m = judge.nearest_m();
  drive.breach = judge.breach();
  drive.m_per_min = result.travelled_m / options.max_time_s * kMinute_s;
  return drive;
}

StatusOr<RobotData> ReadMovingRobot(const std::string& robot) {
  SAFERL_ASSIGN_OR_RETURN(RobotData data, safety::certifier::ReadRobotData(robot));
  if (data.kind != RobotKind::kExoskeleton) return data;
  return absl::InvalidArgumentError(fmt::format(
      "--robot: {}: an exoskeleton's wearer is inside of it; give an arm or a wheelchair", robot));
}

}  // namespace

StatusOr<RecordingReport> RecordingRun(const RecordingOptions& options,
                                       const std::shared_ptr<const Recording>& recording) {
  SAFERL_ASSIGN_OR_RETURN(const RobotData data, ReadMovingRobot(options.robot));
  if (recording->skeleton != (data.kind == RobotKind::kArm)) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {}; {} meets {}", recording->name,
                    recording->skeleton ? "a skeleton" : "tracks of walkers", options.robot,
                    recording->skeleton ? "tracks of walkers" : "skeletons"));
  }
  const BreachBounds standard{data.body_speed_m_s, data.reach_speed_m_s, data.human_error_m};
  const Speeds speeds = recording->skeleton ? SkeletonSpeeds(*recording, standard)
                                            : TrackSpeeds(*recording, standard);
  RecordingReport report;
  report.name = std::filesystem::path(recording->name).stem().string();
  report.body_max_m_s = speeds.body_max_m_s;
  report.reach_max_m_s = speeds.reach_max_m_s;
  report.too_fast_share = speeds.too_fast_share;
  report.duration_s = options.duration_s.value_or(std::max(kMinute_s, recording->end_s));

  Field field{data, options.robot, {}};
  field.options.physics = Physics::kClosedForm;
  field.options.seed = options.seed;
  field.options.recording = recording;
  SAFERL_ASSIGN_OR_RETURN(field.options.scene, Square());
  field.options.max_time_s = report.duration_s;
  field.options.stop_at_goal = false;
  field.options.rounds = true;
  SAFERL_ASSIGN_OR_RETURN(
      report.above, OneDrive(field, std::max(standard.body_speed_m_s, kAbove * speeds.body_max_m_s),
                             std::max(standard.reach_speed_m_s, kAbove * speeds.reach_max_m_s)));
  SAFERL_ASSIGN_OR_RETURN(report.standard,
                          OneDrive(field, standard.body_speed_m_s, standard.reach_speed_m_s));
  auto nobody = std::make_shared<Recording>();
  nobody->skeleton = recording->skeleton;
  field.options.recording = nobody;
  SAFERL_ASSIGN_OR_RETURN(const RecordingDrive alone,
                          OneDrive(field, standard.body_speed_m_s, standard.reach_speed_m_s));
  report.nobody_m_per_min = alone.m_per_min;
  return report;
}

StatusOr<std::vector<std::shared_ptr<const Recording>>> RecordingsFor(const std::string& robot,
                                                                      const std::string& folder) {
  SAFERL_ASSIGN_OR_RETURN(const RobotData data, ReadMovingRobot(robot));
  const bool skeletons = data.kind == RobotKind::kArm;
  std::string place = folder;
  if (place.empty() && std::getenv("SAFERL_PEOPLE") == nullptr) {
    SAFERL_ASSIGN_OR_RETURN(place, FindData("people"));
  }
  std::vector<std::shared_ptr<const Recording>> recordings;
  for (const std::string& path : FindRecordings(place, "")) {
    SAFERL_ASSIGN_OR_RETURN(Recording recording, LoadRecording(path));
    if (recording.skeleton == skeletons)
      recordings.push_back(std::make_shared<const Recording>(std::move(recording)));
  }
  if (!recordings.empty()) return recordings;
  return absl::NotFoundError(
      fmt::format("--recordings: no {} (*.csv) in '{}'; give a folder that has some, or set "
                  "SAFERL_PEOPLE to it",
                  skeletons ? "skeletons" : "tracks of walkers", place));
}

StatusOr<std::vector<RecordingReport>> RecordingRuns(
    const RecordingOptions& options,
    const std::vector<std::shared_ptr<const Recording>>& recordings,
    const std::function<void(int)>& progress) {
  std::vector<StatusOr<RecordingReport>> done(recordings.size(), RecordingReport{});
  std::atomic<size_t> next{0};
  std::mutex mutex;
  int n_done = 0;
  const auto work = [&] {
    for (size_t i = next++; i < recordings.size(); i = next++) {
      done[i] = RecordingRun(options, recordings[i]);
      const std::lock_guard<std::mutex> lock(mutex);
      ++n_done;
      if (progress) progress(n_done);
    }
  };
  std::vector<std::thread> workers;
  for (int k = 1; k < options.threads; ++k) workers.emplace_back(work);
  work();
  for (std::thread& worker : workers) worker.join();
  std::vector<RecordingReport> reports;
  for (StatusOr<RecordingReport>& one : done) {
    SAFERL_RETURN_IF_ERROR(one.status());
    reports.push_back(*std::move(one));
  }
  return reports;
}

}  // namespace saferl::sim
