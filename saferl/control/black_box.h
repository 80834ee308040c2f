#pragma once
// The black box: the last N full Decisions in memory, frozen at any stop, so that what led to it
// can be looked at.
//
// Two preallocated halves. Record() writes into one; some ticks after the mode has risen to a stop,
// it freezes that half and goes on in the other, if that is free. TakeFrozen() hands the frozen
// half to another thread, Release() gives it back. Neither side waits for the other; a stop that
// comes while the other half is still out is counted. Units: capacity in ticks. RT: Record yes (one
// copy of a Decision); the rest no. Errors: none. Source: libfranka keeps 50 states; cFS starves
// its watchdog; facts of the field.

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/control/decision_log.h"
#include "saferl/control/tick.h"

namespace saferl::control {

class BlackBox {
 public:
  /// `after`: ticks recorded after the stop before the half is frozen.
  explicit BlackBox(int capacity, int after = 10);

  /// The tick's thread only.
  void Record(const Decision& decision);

  /// The other thread only. True when a frozen record is there; it stays until Release().
  bool HasFrozen() const { return frozen_.load(std::memory_order_acquire) >= 0; }
  /// Oldest first. Precondition: HasFrozen().
  std::vector<const Decision*> Frozen() const;
  void Release();

  /// Writes the frozen record as a decision log and releases it. Precondition: HasFrozen().
  Status Dump(const std::string& path, const DecisionLogInfo& info, const robot::RobotModel& robot);

  uint64_t missed() const { return missed_.load(std::memory_order_relaxed); }

 private:
  struct Half {
    std::vector<Decision> slot;
    int next = 0, used = 0;
  };
  Half half_[2];
  int active_ = 0;  // the tick's
  int after_ = 0, countdown_ = -1;
  bool stopped_ = false;
  std::atomic<int> frozen_{-1};  // which half is out, -1 = none
  std::atomic<uint64_t> missed_{0};
};

}  // namespace saferl::control
