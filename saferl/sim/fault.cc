#include "saferl/sim/fault.h"

#include <array>
#include <cmath>
#include <limits>

#include "fmt/format.h"
#include "fmt/ranges.h"

namespace saferl::sim {
namespace {

constexpr std::array<std::string_view, kNumFaultKinds> kNames = {
    "human_silent", "human_nan",    "enable_released", "stop_button",   "stop_request",
    "monitor_lost", "state_silent", "state_nan",       "people_silent", "people_nan",
    "people_jump",  "lidar_silent", "lidar_nan",       "lidar_frozen",  "clock_backward",
    "clock_future", "tick_late",    "policy_nan",      "policy_stale",  "drive_weak",
    "brake_fade"};

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

void ApplyToSensors(FaultKind kind, const robot::Observation& before,
                    robot::Observation* observation) {
  switch (kind) {
    case FaultKind::kStateSilent:
      observation->robot = before.robot;
      break;
    case FaultKind::kStateNan:
      observation->robot.q[0] = kNan;
      break;
    case FaultKind::kPeopleSilent:
      observation->people_stamp_ns = before.people_stamp_ns;
      observation->n_parts = before.n_parts;
      observation->parts = before.parts;
      break;
    case FaultKind::kPeopleNan:
      if (observation->n_parts == 0) observation->n_parts = 1;
      observation->parts[0].capsule_W.a.x = kNan;
      break;
    case FaultKind::kPeopleJump:
      for (int i = 0; i < observation->n_parts; ++i) {
        observation->parts[i].capsule_W.a.x += 1.5;
        observation->parts[i].capsule_W.b.x += 1.5;
      }
      break;
    case FaultKind::kLidarSilent:
      observation->lidar_stamp_ns = before.lidar_stamp_ns;
      observation->lidar_m = before.lidar_m;
      break;
    case FaultKind::kLidarNan:
      observation->lidar_m[0] = std::numeric_limits<float>::quiet_NaN();
      break;
    case FaultKind::kLidarFrozen:
      observation->lidar_m = before.lidar_m;
      break;
    case FaultKind::kClockBackward:
      observation->stamp_ns = before.stamp_ns - 1'000'000;
      break;
    case FaultKind::kClockFuture:
      observation->robot.stamp_ns += 1'000'000'000;
      break;
    default:
      break;
  }
}

}  // namespace

std::string_view Name(FaultKind kind) {
  return kind < FaultKind::kCount ? kNames[static_cast<size_t>(kind)] : "unknown";
}

StatusOr<FaultKind> ParseFaultKind(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<FaultKind>(i);
  }
  return absl::InvalidArgumentError(
      fmt::format("fault: '{}' is not one of {}", name, fmt::join(kNames, ", ")));
}

void ApplyFaults(std::span<const Fault> faults, double t_s, const control::TickInput& before,
                 control::TickInput* input) {
  for (const Fault& fault : faults) {
    if (!fault.Active(t_s)) continue;
    ApplyToSensors(fault.kind, before.observation, &input->observation);
    switch (fault.kind) {
      case FaultKind::kHumanSilent:
        input->human = before.human;
        break;
      case FaultKind::kHumanNan:
        input->human.u[0] = kNan;
        break;
      case FaultKind::kEnableReleased:
        input->human.enabled = false;
        break;
      case FaultKind::kStopButton:
        input->human.stop = true;
        break;
      case FaultKind::kStopRequest:
        input->stop_requested = true;
        break;
      case FaultKind::kMonitorLost:
        input->lease_ok = false;
        break;
      case FaultKind::kPolicyNan:
        input->policy.present = true;
        input->policy.stamp_ns = input->now_ns;
        input->policy.u[0] = kNan;
        break;
      case FaultKind::kPolicyStale:
        input->policy.present = true;
        input->policy.stamp_ns = static_cast<int64_t>(1e9 * fault.from_s);
        break;
      default:
        break;
    }
  }
}

robot::Joints DriveFaults(std::span<const Fault> faults, double t_s, const robot::RobotModel& robot,
                          const robot::Joints& acting, const robot::Joints& command) {
  robot::Joints u = command;
  for (const Fault& fault : faults) {
    if (!fault.Active(t_s)) continue;
    for (int i = 0; i < robot.n(); ++i) {
      if (fault.kind == FaultKind::kDriveWeak) u[i] *= 0.6;
      if (fault.kind == FaultKind::kBrakeFade && std::abs(u[i]) < std::abs(acting[i])) {
        const double step = robot.limits().brake[i] * robot.period_s() / 3.0;
        u[i] =
            std::abs(acting[i] - u[i]) > step ? acting[i] - std::copysign(step, acting[i]) : u[i];
      }
    }
  }
  return u;
}

bool TicksLate(std::span<const Fault> faults, double t_s) {
  for (const Fault& fault : faults) {
    if (fault.kind == FaultKind::kTickLate && fault.Active(t_s)) return true;
  }
  return false;
}

}  // namespace saferl::sim
