#include "saferl/control/rt_loop.h"

#include <time.h>

#include <algorithm>

#include "saferl/base/clock.h"

namespace saferl::control {

namespace {

/// One tick, with its costs recorded.
void OneTick(const LoopModel& model, LoopClock* clock, LoopPorts* ports, TickInput* input,
             TickData* data, Decision* decision, LoopStats* stats) {
  const int64_t start = clock->Now();
  ports->Read(start, input);
  // Read first, then the time: no stamp may lie in this tick's future.
  input->now_ns = model.ticks_with_observation_clock ? input->observation.stamp_ns : clock->Now();
  ++input->sequence;
  Tick(*model.tick, *input, data, decision);
  ports->Write(*decision);
  stats->compute.Record(clock->Now() - start);
  ++stats->ticks;
}

bool GoOn(const LoopModel& model, const std::atomic<bool>& stop, const LoopStats& stats) {
  return !stop.load(std::memory_order_relaxed) &&
         (model.max_ticks == 0 || stats.ticks < model.max_ticks);
}

void RunOnTimer(const LoopModel& model, LoopClock* clock, LoopPorts* ports,
                const std::atomic<bool>& stop, TickInput* input, TickData* data, Decision* decision,
                LoopStats* stats) {
  int64_t next = clock->Now() + model.period_ns;
  while (GoOn(model, stop, *stats)) {
    clock->SleepUntil(next);
    const int64_t now = clock->Now();
    const int64_t late = std::max<int64_t>(now - next, 0);
    stats->wake.Record(late);
    if (2 * late >= model.period_ns) ++stats->slips;
    const int64_t skipped = late / model.period_ns;
    stats->skipped_periods += static_cast<uint64_t>(skipped);
    OneTick(model, clock, ports, input, data, decision, stats);
    next += (1 + skipped) * model.period_ns;
  }
}

void RunOnRobot(const LoopModel& model, LoopClock* clock, LoopPorts* ports,
                const std::atomic<bool>& stop, TickInput* input, TickData* data, Decision* decision,
                LoopStats* stats) {
  uint64_t mark = 0;            // of a channel that was never written
  int64_t last = clock->Now();  // of the last tick, on this machine's clock
  while (GoOn(model, stop, *stats)) {
    const uint64_t seen = ports->ObservationMark();
    const int64_t now = clock->Now();
    const bool fresh = seen != mark && (seen & 1U) == 0;
    const bool silent = now - last >= 2 * model.period_ns && !model.ticks_with_observation_clock;
    if (!fresh && !silent) {
      clock->SleepUntil(now + model.poll_ns);
      continue;
    }
    if (!fresh) ++stats->slips;
    mark = fresh ? seen : mark;
    OneTick(model, clock, ports, input, data, decision, stats);
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

void RunLoop(const LoopModel& model, LoopClock* clock, LoopPorts* ports,
             const std::atomic<bool>& stop, TickData* data, Decision* decision, LoopStats* stats) {
  TickInput input;
  if (model.pacing == Pacing::kTimer) {
    RunOnTimer(model, clock, ports, stop, &input, data, decision, stats);
  } else {
    RunOnRobot(model, clock, ports, stop, &input, data, decision, stats);
  }
}

}  // namespace saferl::control
