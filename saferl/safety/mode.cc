#include "saferl/safety/mode.h"

#include <array>
#include <cstddef>

namespace saferl::safety {
namespace {

struct Row {
  Reason reason;
  Mode mode;
  std::string_view name;
  std::string_view line;
};

constexpr size_t kNumReasons = static_cast<size_t>(Reason::kCount);

// One row per reason, in the order of the enum: the test walks all of them.
constexpr std::array<Row, kNumReasons> kRows = {{
    {Reason::kNone, Mode::kNominal, "none", "all is well; nothing to clear"},
    {Reason::kPolicyLate, Mode::kDegraded, "policy_late",
     "the policy sent no fresh proposal: the person drives alone, slower; clears with the next "
     "fresh one"},
    {Reason::kPolicyInvalid, Mode::kDegraded, "policy_invalid",
     "the policy's proposal was not a usable number: the person drives alone, slower; clears with "
     "the next "
     "valid one"},
    {Reason::kHumanStale, Mode::kHold, "human_stale",
     "the person's input is too old: the robot slows and stays; clears with fresh input"},
    {Reason::kHumanInvalid, Mode::kHold, "human_invalid",
     "the person's device sent an impossible value: the robot slows and stays; clears with valid "
     "input"},
    {Reason::kEnableReleased, Mode::kHold, "enable_released",
     "the enabling device is not held: the robot slows and stays; clears when it is held again"},
    {Reason::kStateStale, Mode::kControlledStop, "state_stale",
     "the robot's state is too old: it stops; clears at rest with fresh inputs"},
    {Reason::kStateInvalid, Mode::kControlledStop, "state_invalid",
     "the robot's state is impossible: it stops; clears at rest with valid inputs"},
    {Reason::kPeopleStale, Mode::kControlledStop, "people_stale",
     "the people tracker is silent: the robot stops; clears at rest with fresh inputs"},
    {Reason::kPeopleInvalid, Mode::kControlledStop, "people_invalid",
     "a tracked body part is impossible: the robot stops; clears at rest with valid inputs"},
    {Reason::kLidarStale, Mode::kControlledStop, "lidar_stale",
     "the lidar is silent: the robot stops; clears at rest with fresh inputs"},
    {Reason::kLidarInvalid, Mode::kControlledStop, "lidar_invalid",
     "a lidar range is impossible: the robot stops; clears at rest with valid inputs"},
    {Reason::kClockBackward, Mode::kControlledStop, "clock_backward",
     "a stamp ran backward: the robot stops; clears at rest when stamps advance again"},
    {Reason::kClockFuture, Mode::kControlledStop, "clock_future",
     "a stamp lies in the future: the robot stops; clears at rest when stamps are sane"},
    {Reason::kSensorFrozen, Mode::kControlledStop, "sensor_frozen",
     "a sensor repeats itself: the robot stops; clears at rest when new records arrive"},
    {Reason::kTickLate, Mode::kControlledStop, "tick_late",
     "a tick started more than a period late: the robot stops; clears at rest when ticks are on "
     "time"},
    {Reason::kTickSlips, Mode::kControlledStop, "tick_slips",
     "two ticks slipped within the window: the robot stops; clears at rest when ticks are on time"},
    {Reason::kFilterInfeasible, Mode::kNominal, "filter_infeasible",
     "no command near the wish could be proved safe: the robot brakes along its proved plan; "
     "clears with "
     "the next proved command"},
    {Reason::kFilterRepeated, Mode::kControlledStop, "filter_repeated",
     "the braking plan ran for longer than one braking: the robot stops; clears at rest with a "
     "proved "
     "command"},
    {Reason::kGateRejected, Mode::kControlledStop, "gate_rejected",
     "the last check refused a command: the robot stops; clears at rest when commands pass"},
    {Reason::kPersonTooFast, Mode::kProtectiveStop, "person_too_fast",
     "a person moved faster than assumed: the robot stops; clears when a person acknowledges at "
     "rest"},
    {Reason::kPersonJumped, Mode::kProtectiveStop, "person_jumped",
     "a tracked person jumped further than possible: the robot stops; clears when a person "
     "acknowledges at "
     "rest"},
    {Reason::kTrackingError, Mode::kProtectiveStop, "tracking_error",
     "the robot does not follow its commands: it stops; clears when a person acknowledges at rest"},
    {Reason::kBrakeFade, Mode::kProtectiveStop, "brake_fade",
     "braking is weaker than rated: the robot stops; clears when a person acknowledges at rest, "
     "after the "
     "brakes were checked"},
    {Reason::kConstraintViolated, Mode::kProtectiveStop, "constraint_violated",
     "a safety limit is measured as broken: the robot stops; clears when a person acknowledges at "
     "rest"},
    {Reason::kStopRequested, Mode::kProtectiveStop, "stop_requested",
     "someone asked for a stop: the robot stops; clears when a person acknowledges at rest"},
    {Reason::kMonitorLost, Mode::kControlledStop, "monitor_lost",
     "the safety monitor's lease ran out: the robot stops; clears at rest when the lease is "
     "renewed"},
}};

// An unknown value is treated as the worst.
constexpr Row kUnknown = {
    Reason::kCount, Mode::kProtectiveStop, "unknown",
    "an unknown reason: the robot stops; clears when a person acknowledges at rest"};

const Row& RowOf(Reason reason) {
  const auto i = static_cast<size_t>(reason);
  return i < kNumReasons ? kRows[i] : kUnknown;
}

}  // namespace

Mode DemandedMode(Reason reason) { return RowOf(reason).mode; }
std::string_view Name(Reason reason) { return RowOf(reason).name; }
std::string_view Describe(Reason reason) { return RowOf(reason).line; }

std::string_view Name(Mode mode) {
  switch (mode) {
    case Mode::kNominal:
      return "nominal";
    case Mode::kDegraded:
      return "degraded";
    case Mode::kHold:
      return "hold";
    case Mode::kControlledStop:
      return "controlled_stop";
    case Mode::kProtectiveStop:
      return "protective_stop";
  }
  return "unknown";
}

}  // namespace saferl::safety
