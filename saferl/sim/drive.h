#pragma once
// One drive: a simulated person (and a policy) drive a robot through a setting, in a closed loop,
// until the goal, a collision or the end of the time. Everything that shows or checks the whole
// system runs through here: the demo's table, scenarios, recordings, evaluation.
//
// Three ways to drive (the columns of the demo's table):
//   kAlone    the person's command, limited only by what the actuators can do
//   kBlended  person and policy blended by the control room's arbitration, no filter, no modes
//   kFull     the whole Tick
// Units: SI. Errors: Status for what cannot be started. RT: no. Deterministic: a result is a pure
// function of model and options, whatever the number of threads. Cost: wheelchair, kFull: about 20
// us of CPU per 20 ms tick closed-form, 0.2 ms with MuJoCo.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/control/human_input/trace.h"
#include "saferl/control/tick.h"
#include "saferl/sim/fault.h"
#include "saferl/sim/person.h"
#include "saferl/sim/recording.h"
#include "saferl/sim/setting.h"

namespace saferl::sim {

enum class Column : uint8_t { kAlone, kBlended, kFull };
enum class Physics : uint8_t { kMujoco, kClosedForm };

/// Watches a drive, to judge it by other code than the Tick's; changes nothing.
class Witness {
 public:
  virtual ~Witness() = default;
  /// After each tick: what went in and what came out.
  virtual void OnTick(const control::TickInput& input, const control::Decision& decision) = 0;
  /// The true world, about four times a period.
  virtual void OnInstant(const robot::RobotState& truth,
                         std::span<const robot::HumanPart> people) = 0;
};

/// What all drives of one kind share. Const while they run.
struct DriveModel {
  std::string robot_file;                          ///< for the log's hash
  std::shared_ptr<const control::TickModel> tick;  ///< robot, safety, policy
  const robot::RobotModel& robot() const { return *tick->safety->robot; }
};
/// Robot by name or path; `policy` may be null. `overrides` only for tests of breached assumptions.
StatusOr<DriveModel> MakeDriveModel(const std::string& robot,
                                    std::shared_ptr<const policy::Policy> policy,
                                    std::span<const robot::Override> overrides = {});

struct DriveOptions {
  Column column = Column::kFull;
  Physics physics = Physics::kMujoco;
  PersonKind person = PersonKind::kExpert;
  std::shared_ptr<const control::HumanTrace> trace_of_person;  ///< a recorded person instead
  uint64_t seed = 0;                                      ///< of scene, person, sensors and delays
  SceneOptions scene_options = {.passable_walks = true};  ///< wheelchair, when `scene` is null
  std::shared_ptr<const Scene> scene;                     ///< wheelchair
  std::shared_ptr<const Recording> recording;             ///< real people instead of simulated ones
  std::vector<Fault> faults;
  double max_time_s = 90;    ///< busy doorways take patience
  bool stop_at_goal = true;  ///< false: drive on until the time is over
  bool rounds = false;       ///< the person drives on from goal to goal (rounds.h)
  bool acknowledges = true;  ///< the person clears a latched stop one second after rest
  double trace_period_s = 0.1;
  bool trace = false;          ///< keep DriveResult::trace
  std::string log_path;        ///< kFull: MCAP log of every decision; empty = none
  Witness* witness = nullptr;  ///< not owned; may be null
  /// kFull: decides instead of a Tick here, as a service does. Fills `decision` as far as it knows;
  /// an error ends the drive.
  std::function<Status(const control::TickInput&, control::Decision*)> decide;
};

/// The world at one instant, for pictures.
struct TraceFrame {
  double t_s = 0;
  robot::Joints q{};
  robot::Joints human_u{}, sent_u{};
  safety::Mode mode = safety::Mode::kNominal;
  safety::Reason reason = safety::Reason::kNone;
  double separation_m = 0, margin_m = 0;  ///< true; worst certified distance margin
  double authority = 0;
  std::vector<Point> people;  ///< wheelchair: where they stand
};

struct DriveResult {
  bool goal_reached = false;
  double time_s = 0;                     ///< until the goal or the end
  Hit collision = Hit::kNothing;         ///< the first one, which ends the drive
  int64_t ticks = 0, interventions = 0;  ///< ticks whose command the filter changed
  double mean_distortion = 0;   ///< of the person's command: |sent - wanted|, share of the limits
  double min_separation_m = 0;  ///< to any person, true; +inf without people
  double min_moving_separation_m = 0;  ///< ... while the robot moved
  double travelled_m = 0;  ///< wheelchair: of its origin; arm: of its tool; exoskeleton: rad
  std::array<int64_t, 5> mode_ticks{};  ///< per safety::Mode
  std::array<int64_t, static_cast<size_t>(safety::Reason::kCount)> reason_ticks{};
  std::array<double, static_cast<size_t>(safety::Reason::kCount)> reason_first_s{};  ///< -1 = never
  int64_t unproved_moving_ticks = 0;  ///< moving without a proof: must stay 0 in kFull
  std::vector<TraceFrame> trace;
};

StatusOr<DriveResult> Drive(const DriveModel& model, const DriveOptions& options);

/// Many drives on `threads` threads; results in the order of `options`. `progress` is called after
/// each drive with the number done, from any thread, one at a time; may be empty.
StatusOr<std::vector<DriveResult>> DriveAll(const DriveModel& model,
                                            std::span<const DriveOptions> options, int threads,
                                            const std::function<void(int)>& progress = {});

}  // namespace saferl::sim
