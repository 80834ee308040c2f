#pragma once
// Every number of a TickModel as text and back: what a log carries so that replay uses the same
// numbers.
//
// RT: no. Errors: kInvalidArgument naming the key.

#include <map>
#include <string>

#include "saferl/base/status.h"
#include "saferl/control/tick.h"

namespace saferl::control {

/// "arbitration.authority_cap" -> "0.8", and so on for limits, latch, assumptions, intent and
/// arbitration.
std::map<std::string, std::string> TickSettings(const TickModel& model);
/// Sets the numbers. Unknown or missing keys and texts that are not numbers are errors.
Status ApplyTickSettings(const std::map<std::string, std::string>& settings, TickModel* model);

}  // namespace saferl::control
