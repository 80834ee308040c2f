#include "saferl/control/rt_loop.h"

#include <time.h>

#include <algorithm>

#include "saferl/base/clock.h"
#include "saferl/control/rehearsal.h"
#include "saferl/control/shm_layout.h"

namespace saferl::control {

namespace {

/// What the loop holds from tick to tick.
struct Run {
  const LoopModel& model;
  LoopClock* clock;
  LoopPorts* ports;
  const std::atomic<bool>& stop;
  TickData* data;
  Decision* decision;
  LoopStats* stats;
  std::unique_ptr<Rehearsal> rehearsal;  ///< null: the loop is not awake early
  TickInput input;

  bool GoesOn() const {
    return !stop.load(std::memory_order_relaxed) &&
           (model.max_ticks == 0 || stats->ticks < model.max_ticks);
  }
  /// One tick, with its costs recorded.
  void TickOnce() {
    const int64_t start = clock->Now();
    ports->Read(start, &input);
    // Read first, then the time: no stamp may lie in this tick's future.
    input.now_ns = model.ticks_with_observation_clock ? input.observation.stamp_ns : clock->Now();
    ++input.sequence;
    Tick(*model.tick, input, data, decision);
    ports->Write(*decision);
    stats->compute.Record(clock->Now() - start);
    ++stats->ticks;
  }
  /// Unless the tick is due too soon: then it would make that late.
  void Rehearse(int64_t due_ns) const {
    if (stats->ticks > 0 && clock->Now() <= due_ns - model.early_ns / 2)
      rehearsal->Run(input, *data, model.period_ns);
  }
};

void RunOnTimer(Run* run) {
  const LoopModel& model = run->model;
  LoopClock* clock = run->clock;
  int64_t next = clock->Now() + model.period_ns;
  while (run->GoesOn()) {
    clock->SleepUntil(next - model.early_ns);
    if (run->rehearsal != nullptr) {
      run->Rehearse(next);
      clock->SpinUntil(next);
    }
    const int64_t late = std::max<int64_t>(clock->Now() - next, 0);
    run->stats->wake.Record(late);
    if (2 * late >= model.period_ns) ++run->stats->slips;
    const int64_t skipped = late / model.period_ns;
    run->stats->skipped_periods += static_cast<uint64_t>(skipped);
    run->TickOnce();
    next += (1 + skipped) * model.period_ns;
  }
}

/// On the observation's clock nothing is ever late, but a stop is heard.
constexpr int64_t kLongestWait_ns = 100'000'000;

void RunOnRobot(Run* run) {
  const LoopModel& model = run->model;
  uint64_t mark = 0;                 // of a channel that was never written
  int64_t last = run->clock->Now();  // of the last tick, on this machine's clock
  int64_t due = 0;                   // of the next observation; 0: nobody knows
  const auto await = [&](int64_t spin_ns, int64_t until_ns) {
    return run->ports->AwaitObservation(mark, spin_ns, until_ns);
  };
  while (run->GoesOn()) {
    const int64_t silence =
        model.ticks_with_observation_clock ? kLongestWait_ns : 2 * model.period_ns;
    uint64_t seen = mark;
    if (run->rehearsal != nullptr && due != 0) {
      seen = await(0, due - model.early_ns);
      if (seen == mark) {
        run->Rehearse(due);
        seen = await(2 * model.early_ns, due + model.early_ns);
      }
    }
    if (seen == mark) seen = await(0, last + silence);
    const int64_t now = run->clock->Now();
    const bool fresh = seen != mark;
    if (!fresh && (now - last < silence || model.ticks_with_observation_clock)) {
      if (model.ticks_with_observation_clock) last = now;
      continue;  // a signal, or time that does not count
    }
    if (!fresh) ++run->stats->slips;
    mark = seen;
    run->TickOnce();
    due = fresh ? now + model.period_ns : 0;
    last = now;
  }
}

}  // namespace

int64_t SystemClock::Now() { return Nanos(); }

void SystemClock::SleepUntil(int64_t at_ns) {
  timespec at{};
  at.tv_sec = at_ns / kNanosPerSecond;
  at.tv_nsec = at_ns % kNanosPerSecond;
  // A signal ends the sleep early: the loop then ticks early once, or stops.
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
}

void SystemClock::SpinUntil(int64_t at_ns) {
  while (Nanos() < at_ns) saferl_shm_relax();
}

void RunLoop(const LoopModel& model, LoopClock* clock, LoopPorts* ports,
             const std::atomic<bool>& stop, TickData* data, Decision* decision, LoopStats* stats) {
  Run run{model, clock, ports, stop, data, decision, stats, nullptr, {}};
  if (model.early_ns > 0) run.rehearsal = std::make_unique<Rehearsal>(*model.tick);
  if (model.pacing == Pacing::kTimer) {
    RunOnTimer(&run);
  } else {
    RunOnRobot(&run);
  }
}

}  // namespace saferl::control
