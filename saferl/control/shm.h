#pragma once
// saferl_rt's end of the shared memory: creates the file, reads inputs, writes commands.
//
// Layout and the C side: shm_layout.h, docs/formats/shared_memory.md.
// RT: Create and the destructor no; Read, Write and AwaitObservation yes.
// Errors: Create: kInvalidArgument, kPermissionDenied, kUnavailable, naming the path. Read never
// fails: a channel that
//   is torn or was never written keeps its last good value, whose stamp then grows old.

#include <memory>
#include <optional>
#include <string>

#include "saferl/base/status.h"
#include "saferl/control/shm_layout.h"
#include "saferl/control/tick.h"

namespace saferl::control {

/// The decision's command as its record. RT: yes.
saferl_command CommandRecord(const Decision& decision);

class ShmEndpoint {
 public:
  /// Makes a fresh file (mode 0600), replacing one that a dead process left. Fails where a live one
  /// owns it. `lease_ns`: the robot may move only while the safety monitor's last word is younger
  /// than this and its lease has not ended; nothing: no monitor is required.
  static StatusOr<std::unique_ptr<ShmEndpoint>> Create(const std::string& path,
                                                       const robot::RobotModel& robot,
                                                       std::optional<int64_t> lease_ns);
  ~ShmEndpoint();  ///< unmaps and removes the file
  ShmEndpoint(const ShmEndpoint&) = delete;
  ShmEndpoint& operator=(const ShmEndpoint&) = delete;

  /// Fills observation, human, policy, goals, stop_requested and lease_ok; `now_ns` judges the
  /// lease.
  void Read(int64_t now_ns, TickInput* input);
  /// Sends the command, then adds the decision to the stream.
  void Write(const Decision& decision);
  /// LoopPorts::AwaitObservation: the mark is the lock word of the last whole record.
  uint64_t AwaitObservation(uint64_t mark, int64_t spin_ns, int64_t until_ns) const;
  const std::string& path() const { return path_; }

 private:
  ShmEndpoint() = default;
  std::string path_;
  saferl_shm* shm_ = nullptr;
  std::optional<int64_t> lease_ns_;
  saferl_observation observation_{},
      observation_scratch_{};  // last good value, and where a read lands first
  saferl_human human_{};
  saferl_goals goals_{};
  saferl_proposal proposal_{};
  saferl_request request_{};
  saferl_decision decision_{};  ///< scratch
};

}  // namespace saferl::control
