#pragma once
// The Gate: the last check before the wire. Finite, inside limits, inside the rate limit, with a
// validity time. A command that fails is replaced by the braking command; if that fails too, by
// standstill with valid_for = 0, which a receiver treats as "stop now". RT: yes. Source:
// libfranka's per-tick checks and Universal Robots' per-message validity are the field's examples.

#include "saferl/robot/robot_model.h"
#include "saferl/safety/mode.h"

namespace saferl::safety {

/// What leaves. The receiver brakes by itself when nothing newer arrives within valid_for_ns of
/// issued_ns.
struct Command {
  int64_t issued_ns = 0;
  int64_t valid_for_ns = 0;
  uint64_t sequence = 0;
  robot::Joints u{};
  Mode mode = Mode::kNominal;
  Reason reason = Reason::kNone;
};

struct GateResult {
  Command command;
  bool passed = true;  ///< false: the command was replaced; `command.reason` = kGateRejected
};

GateResult Gate(const robot::RobotModel& robot, const robot::RobotState& state,
                const robot::Joints& previous, const robot::Joints& wanted, Mode mode,
                Reason reason, int64_t now_ns, uint64_t sequence);

}  // namespace saferl::safety
