#pragma once
// Rounds: a skill that drives from goal to goal for ever, to measure how much work gets done. It
// asks another skill for the way; the goal that the caller names does not matter.
//
// Units: as the inner skill. Errors: none. RT: no.

#include <memory>

#include "saferl/sim/skill.h"

namespace saferl::sim {

std::unique_ptr<Skill> MakeRounds(std::unique_ptr<Skill> inner);

}  // namespace saferl::sim
