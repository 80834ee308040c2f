#pragma once
// What a Tick remembers, in one block that Prepare() allocates and nobody else looks into.
//
// RT: yes. Written by Tick() only. Shared with the black box and tests; not part of the room's
// interface.

#include <array>

#include "saferl/control/arbitration.h"
#include "saferl/control/input_check.h"
#include "saferl/control/intent.h"
#include "saferl/control/tick.h"
#include "saferl/policy/policy.h"
#include "saferl/safety/assumptions.h"
#include "saferl/safety/filter.h"
#include "saferl/safety/latch.h"

namespace saferl::control {

struct TickData {
  InputCheckData check;
  safety::AssumptionData assumptions;
  safety::LatchData latch;
  safety::ReasonSet pending;  ///< found after this tick's mode was decided: counts in the next
  IntentData intent;
  ArbitrationData arbitration;
  safety::FilterData filter;
  robot::Observation trusted;  ///< last observation that was fit to compute with
  bool has_trusted = false;
  uint64_t policy_id = 0;
  alignas(64) std::array<float, policy::kMaxWidth> features{};
  std::array<float, robot::kMaxDof> action{};
};

}  // namespace saferl::control
