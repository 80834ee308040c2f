#pragma once
// The two Proposals of a tick as they arrive: the person's, and one that another process computed.
//
// Units: u in the robot's command unit, stamps in ns of the tick's clock. RT: yes: plain data,
// logged bit for bit.

#include <cstdint>

#include "saferl/robot/types.h"

namespace saferl::control {

/// What the person asks for, in the robot's command unit.
struct HumanInput {
  int64_t stamp_ns = 0;
  uint64_t sequence = 0;
  robot::Joints u{};         ///< wanted command (n)
  bool enabled = true;       ///< enabling device held
  bool stop = false;         ///< stop button: always wins
  bool acknowledge = false;  ///< clears a latched stop, at rest, with healthy inputs
};

/// A proposal computed elsewhere (another process, a human-machine interface). Absent: the Tick
/// runs its own policy.
struct ExternalProposal {
  bool present = false;
  int64_t stamp_ns = 0;
  robot::Joints u{};
};

}  // namespace saferl::control
