#include "saferl/safety/gate.h"

#include <algorithm>
#include <cmath>

#include "saferl/safety/constraints/constraints.h"

namespace saferl::safety {
namespace {

/// Rounding between the filter's arithmetic and this one's [command unit, relative to 1].
constexpr double kRounding = 1e-9;

bool InsideLimits(const robot::RobotModel& robot, const robot::Joints& u) {
  const robot::Limits& limits = robot.limits();
  for (int i = 0; i < robot.n(); ++i) {
    // Written so that NaN fails.
    if (!(u[i] >= limits.command_lower[i] - kRounding &&
          u[i] <= limits.command_upper[i] + kRounding)) {
      return false;
    }
  }
  for (int i = robot.n(); i < robot::kMaxDof; ++i) {
    if (!(u[i] == 0)) return false;
  }
  return true;
}

bool InsideRate(const robot::RobotModel& robot, const robot::Joints& previous,
                const robot::Joints& brake, const robot::Joints& u) {
  for (int i = 0; i < robot.n(); ++i) {
    const CommandInterval next = NextCommand(robot, previous[i], brake[i], i);
    if (!(u[i] >= next.lower - kRounding && u[i] <= next.upper + kRounding)) return false;
  }
  return true;
}

}  // namespace

GateResult Gate(const robot::RobotModel& robot, const robot::RobotState& state,
                const robot::Joints& previous, const robot::Joints& wanted, Mode mode,
                Reason reason, int64_t now_ns, uint64_t sequence) {
  GateResult result;
  Command& command = result.command;
  command.issued_ns = now_ns;
  command.valid_for_ns = static_cast<int64_t>(std::llround(1e9 * robot.hold_s()));
  command.sequence = sequence;
  command.mode = mode;
  command.reason = reason;

  const robot::Joints brake = robot.Brake(state, previous);
  if (InsideLimits(robot, wanted) && InsideRate(robot, previous, brake, wanted)) {
    command.u = wanted;
    return result;
  }
  result.passed = false;
  command.mode = std::max(mode, DemandedMode(Reason::kGateRejected));
  command.reason = Reason::kGateRejected;
  if (InsideLimits(robot, brake)) {
    command.u = brake;
  } else {
    command.u = {};
    command.valid_for_ns = 0;
  }
  return result;
}

}  // namespace saferl::safety
