#pragma once
// The real-time loop: wakes on a fixed phase, reads, ticks, writes, records.
//
// Pacing
//   kTimer  absolute wake-up times t0 + k T. A late wake-up is never made up by running fast: the
//           tick runs, the phase is kept, whole periods that passed are skipped and counted. The
//           Tick itself sees the gap and stops (kTickLate; kTickSlips for two within the window).
//   kRobot  one tick for each new observation. When the robot falls silent for two periods the loop
//           ticks on its own, so that staleness stops it. On the observation's clock (simulated or
//           recorded time) silence is no time: the loop waits.
// With early_ns the loop is awake that long before a tick is due: it rehearses (rehearsal.h), then
// spins, so that neither the kernel's wake-up nor cold caches delay the tick. In between, and
// around an observation that does not come when it is due, it sleeps. Units: ns. RT: RunLoop yes,
// between the first tick and return (clock, sleep and wake are its only system calls); it allocates
// the rehearsal's copies before. Errors: none; what goes wrong inside becomes Modes.

#include <atomic>
#include <cstdint>

#include "saferl/base/histogram.h"
#include "saferl/control/tick.h"

namespace saferl::control {

enum class Pacing : uint8_t { kTimer, kRobot };

/// Time, replaceable for tests.
class LoopClock {
 public:
  virtual ~LoopClock() = default;
  virtual int64_t Now() = 0;
  virtual void SleepUntil(int64_t at_ns) = 0;
  /// Returns at the moment, without the kernel.
  virtual void SpinUntil(int64_t at_ns) = 0;
};

/// CLOCK_MONOTONIC and clock_nanosleep.
class SystemClock final : public LoopClock {
 public:
  int64_t Now() override;
  void SleepUntil(int64_t at_ns) override;
  void SpinUntil(int64_t at_ns) override;
};

/// Where inputs come from and decisions go. Both calls keep the real-time rules.
class LoopPorts {
 public:
  virtual ~LoopPorts() = default;
  /// Everything but now_ns and sequence.
  virtual void Read(int64_t now_ns, TickInput* input) = 0;
  virtual void Write(const Decision& decision) = 0;
  /// kRobot: returns when there is another observation than that of `mark`, at `until_ns` or a
  /// signal at the latest; spins for the first spin_ns, then sleeps. The mark of the newest one.
  virtual uint64_t AwaitObservation(uint64_t mark, int64_t spin_ns, int64_t until_ns) = 0;
};

struct LoopModel {
  const TickModel* tick = nullptr;
  Pacing pacing = Pacing::kTimer;
  int64_t period_ns = 0;
  int64_t early_ns = 0;    ///< awake before a tick is due; 0: woken by the kernel when it is
  uint64_t max_ticks = 0;  ///< 0 = until told to stop
  bool ticks_with_observation_clock =
      false;  ///< kRobot: now_ns is the observation's stamp (recorded or simulated time)
};

struct LoopStats {
  uint64_t ticks = 0;
  uint64_t slips = 0;            ///< woke up half a period late or more
  uint64_t skipped_periods = 0;  ///< whole periods that passed without a tick
  Histogram wake;                ///< kTimer: how late the ticks began
  Histogram compute;             ///< read to write
};

/// Ticks until `stop` or max_ticks. `data`, `decision` and `stats` are the caller's; the memory is
/// touched before.
void RunLoop(const LoopModel& model, LoopClock* clock, LoopPorts* ports,
             const std::atomic<bool>& stop, TickData* data, Decision* decision, LoopStats* stats);

}  // namespace saferl::control
