#pragma once
// The safety monitor's end of the shared memory: every decision in order, and the word that lets
// the robot move.
//
// A link belongs to one process at a time (a lock on the file): a second one waits as a standby
// until the first is gone. Granting is the only thing that keeps a robot with `lease_s` moving;
// a process that dies, hangs or is suspended stops granting, and the robot stops by itself.
// Units: ns of CLOCK_MONOTONIC. RT: no, and the loop never waits for it.
// Errors: Attach: kNotFound (saferl_rt does not run), kFailedPrecondition (another layout, another
// monitor), naming the path.

#include <cstdint>
#include <memory>
#include <string>

#include "saferl/base/status.h"
#include "saferl/control/shm_layout.h"
#include "saferl/control/tick.h"

namespace saferl::control {

class MonitorLink {
 public:
  static StatusOr<std::unique_ptr<MonitorLink>> Attach(const std::string& path);
  ~MonitorLink();
  MonitorLink(const MonitorLink&) = delete;
  MonitorLink& operator=(const MonitorLink&) = delete;

  enum class Got : uint8_t {
    kNothing,   ///< no new decision yet
    kDecision,  ///< `decision` holds the next one
    kLost,      ///< decisions were overwritten before they were read; the next call goes on after
  };
  /// Fills what the stream carries: input (without goals and proposal), policy_used, authority,
  /// command, gate_passed, policy_id, and of `filter` reason, proof and intervened.
  Got Next(Decision* decision);
  /// Decisions that wait to be read.
  uint64_t waiting() const {
    return __atomic_load_n(&shm_->decisions, __ATOMIC_ACQUIRE) + 1 - next_;
  }
  uint64_t lost() const { return lost_; }  ///< decisions that were never seen, in all

  /// The robot may move until `until_ns`.
  void Grant(int64_t now_ns, int64_t until_ns) { Put(now_ns, until_ns, false); }
  /// The robot stops now, and no lease holds.
  void Stop(int64_t now_ns) { Put(now_ns, 0, true); }
  /// The process that made the file is gone, or another file took its place.
  bool Gone() const;

  std::string robot() const { return shm_->robot; }
  int n() const { return static_cast<int>(shm_->n); }
  int pose() const { return shm_->kind == 0 ? 3 : n(); }  ///< entries of q that mean something
  int64_t period_ns() const { return static_cast<int64_t>(shm_->period_ns); }

 private:
  MonitorLink() = default;
  void Put(int64_t now_ns, int64_t until_ns, bool stop);

  std::string path_;
  int fd_ = -1;
  uint64_t inode_ = 0;
  saferl_shm* shm_ = nullptr;
  uint64_t next_ = 1, lost_ = 0;
  saferl_decision read_{};
};

}  // namespace saferl::control
