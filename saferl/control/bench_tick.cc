#include "saferl/control/bench_tick.h"

#include <algorithm>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/histogram.h"
#include "saferl/control/rt_loop.h"
#include "saferl/control/rt_settings.h"
#include "saferl/control/workload.h"

namespace saferl::control {

namespace {

constexpr uint64_t kWarmUp = 1000;

Spread ToSpread(const Histogram& h) {
  return {static_cast<double>(h.p50()) * 1e-3, static_cast<double>(h.p99()) * 1e-3,
          static_cast<double>(h.p99_9()) * 1e-3, static_cast<double>(h.max()) * 1e-3};
}

/// The robot's world goes on while the loop sleeps, outside of what is timed.
class PacedWorld final : public LoopPorts, public LoopClock {
 public:
  explicit PacedWorld(std::shared_ptr<const robot::RobotModel> robot)
      : workload_(std::move(robot)) {}
  int64_t Now() override { return clock_.Now(); }
  void SleepUntil(int64_t at_ns) override {
    if (decision_ != nullptr) workload_.Apply(decision_->command);
    input_ = &workload_.Next();
    clock_.SleepUntil(at_ns);
  }
  void SpinUntil(int64_t at_ns) override { clock_.SpinUntil(at_ns); }
  void Read(int64_t, TickInput* input) override {
    const uint64_t sequence = input->sequence;
    *input = *input_;
    input->sequence = sequence;
  }
  void Write(const Decision& decision) override { decision_ = &decision; }
  uint64_t AwaitObservation(uint64_t mark, int64_t, int64_t) override { return mark; }

 private:
  SystemClock clock_;
  Workload workload_;
  const TickInput* input_ = nullptr;
  const Decision* decision_ = nullptr;
};

}  // namespace

const char* Name(Stage stage) {
  switch (stage) {
    case Stage::kCheck:
      return "check";
    case Stage::kPolicy:
      return "policy";
    case Stage::kIntent:
      return "intent";
    case Stage::kBlend:
      return "blend";
    case Stage::kFilter:
      return "filter";
    case Stage::kGate:
      return "gate";
    case Stage::kRecord:
      return "record";
    case Stage::kCount:
      break;
  }
  return "unknown";
}

StatusOr<TickBench> BenchTick(const std::string& robot_name_or_path, uint64_t ticks) {
  SAFERL_ASSIGN_OR_RETURN(TickModel model, MakeBenchModel(robot_name_or_path));
  TickBench bench;
  bench.robot = model.safety->robot->name();
  bench.ticks = ticks;
  bench.min_rows = UINT64_MAX;
  const auto decision = std::make_unique<Decision>();
  const auto total = std::make_unique<Histogram>(), floor = std::make_unique<Histogram>(),
             crowded = std::make_unique<Histogram>(), searched = std::make_unique<Histogram>();
  const auto stages = std::make_unique<std::array<Histogram, kNumStages>>();
  uint64_t rows = 0, bisections = 0;
  for (const bool timed : {false, true}) {
    model.time_stages = timed;
    const auto data = Prepare(model);
    Workload workload(model.safety->robot);
    for (uint64_t k = 0; k < ticks + kWarmUp; ++k) {
      const TickInput& input = workload.Next();
      const int64_t empty = Nanos(), start = Nanos();
      Tick(model, input, data.get(), decision.get());
      const int64_t end = Nanos();
      workload.Apply(decision->command);
      if (k < kWarmUp) continue;
      if (timed) {
        for (size_t i = 0; i < kNumStages; ++i) (*stages)[i].Record(decision->stage_ns[i]);
        continue;
      }
      floor->Record(start - empty);
      total->Record(end - start);
      const uint64_t n_rows = decision->filter.n_rows;
      rows += n_rows;
      if (n_rows >= kCrowdedRows) crowded->Record(end - start);
      if (decision->filter.bisections > 0) searched->Record(end - start);
      bench.changed_ticks += decision->filter.intervened ? 1 : 0;
      bench.min_rows = std::min(bench.min_rows, n_rows);
      bench.max_rows = std::max(bench.max_rows, n_rows);
      bisections += decision->filter.bisections;
      bench.nominal += decision->command.mode == safety::Mode::kNominal ? 1 : 0;
    }
  }
  bench.total = ToSpread(*total);
  bench.crowded = ToSpread(*crowded);
  bench.crowded_ticks = crowded->count();
  bench.searched = ToSpread(*searched);
  bench.searched_ticks = searched->count();
  bench.noise_floor = ToSpread(*floor);
  for (size_t i = 0; i < kNumStages; ++i) bench.stage[i] = ToSpread((*stages)[i]);
  bench.mean_rows = static_cast<double>(rows) / static_cast<double>(ticks);
  bench.mean_bisections = static_cast<double>(bisections) / static_cast<double>(ticks);
  return bench;
}

StatusOr<PacedBench> BenchPaced(const std::string& robot_name_or_path, uint64_t ticks,
                                int64_t early_ns) {
  SAFERL_ASSIGN_OR_RETURN(const TickModel model, MakeBenchModel(robot_name_or_path, false));
  LoopModel loop;
  loop.tick = &model;
  loop.pacing = Pacing::kTimer;
  loop.period_ns = FromSeconds(model.safety->robot->period_s());
  loop.early_ns = early_ns;
  loop.ticks_with_observation_clock = true;  // the workload's time is simulated
  PacedWorld world(model.safety->robot);
  const auto data = Prepare(model);
  const auto decision = std::make_unique<Decision>();
  const std::atomic<bool> stop{false};
  auto stats = std::make_unique<LoopStats>();
  loop.max_ticks = 100;
  // A thread of its own: what the system grants it ends with it.
  std::thread([&] {
    const auto granted = ApplyRtSettings({.lock_memory = Requirement::kOff});
    RunLoop(loop, &world, &world, stop, data.get(), decision.get(), stats.get());
    stats = std::make_unique<LoopStats>();
    loop.max_ticks = ticks;
    RunLoop(loop, &world, &world, stop, data.get(), decision.get(), stats.get());
  }).join();
  return PacedBench{stats->ticks, stats->slips, ToSpread(stats->wake), ToSpread(stats->compute)};
}

}  // namespace saferl::control
