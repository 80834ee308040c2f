#pragma once
// Replay: runs the Ticks of a log again and compares every command bit for bit.
//
// The log holds every input bit; the model must be the one that made it: robot file, policy package
// and settings are compared first. Replay starts where the log starts, with a fresh TickData, as
// the recording did. RT: no. Cost: one tick and one decode each: an hour at 50 Hz in a few seconds.
// Errors: kFailedPrecondition when the model is another one; the log reader's errors.

#include <cstdint>
#include <string>

#include "saferl/base/status.h"
#include "saferl/control/decision_log.h"
#include "saferl/control/human_input/trace.h"
#include "saferl/control/tick.h"

namespace saferl::control {

struct ReplayReport {
  uint64_t ticks = 0;
  uint64_t different = 0;         ///< ticks whose command differs in any bit
  bool identical = false;         ///< different == 0
  bool truncated = false;         ///< the log ended in mid-record (only where that is accepted)
  uint64_t first_difference = 0;  ///< sequence number of the first that differs
  std::string difference;         ///< what differs there, in words
};

/// True when issue time, validity, sequence, u (bitwise), mode and reason are the same. `what`: the
/// first difference.
bool SameCommand(const safety::Command& a, const safety::Command& b, std::string* what = nullptr);

StatusOr<ReplayReport> Replay(const std::string& path, const TickModel& model,
                              const McapReadOptions& options = {});

/// The person of a log, from its first tick on.
StatusOr<HumanTrace> PersonOf(const std::string& path, const McapReadOptions& options = {});

/// The model with the settings that the log carries, robot and policy checked against their hashes.
/// `robot_file`: the file the robot was loaded from.
StatusOr<TickModel> ModelForLog(const DecisionLogInfo& info, const std::string& robot_file,
                                std::shared_ptr<const safety::SafetyModel> safety,
                                std::shared_ptr<const policy::Policy> policy);

}  // namespace saferl::control
