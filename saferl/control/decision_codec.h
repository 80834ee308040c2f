#pragma once
// Decision <-> bytes of the decision log's binary channel. Variable length: only what is used.
//
// Decode(Encode(d)) is d bit for bit in everything that a Tick reads or writes; entries beyond a
// count (joints beyond n, parts beyond n_parts) become zero. Units: SI. RT: Encode no (appends to a
// string). Errors: kInvalidArgument naming field and problem. Cost: 0.5 us without lidar, 1 us with
// 360 beams. Bytes: docs/formats/decision_log.md.

#include <string>
#include <string_view>

#include "saferl/base/status.h"
#include "saferl/control/tick.h"

namespace saferl::control {

/// The sizes that every message of a log shares.
struct DecisionShape {
  int n = 0;     ///< command components
  int pose = 0;  ///< entries of q
};
DecisionShape ShapeOf(const robot::RobotModel& robot);

void EncodeDecision(const DecisionShape& shape, const Decision& decision, std::string* out);
Status DecodeDecision(const DecisionShape& shape, std::string_view bytes, Decision* decision);

}  // namespace saferl::control
