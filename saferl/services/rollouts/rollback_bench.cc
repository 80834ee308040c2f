// How fast a robot's session leaves a version that its rollout has taken back: ticks of the new
// version after the session points to the stable one, and the time to the first stable tick. The
// robot moves and ticks without pause, so that each flip falls somewhere into a tick.
//
//   build/bin/services_bench --benchmark_filter=Rollback
#include <benchmark/benchmark.h>

#include <algorithm>
#include <vector>

#include "saferl/services/testing/rollback_drive.h"

namespace saferl::services {
namespace {

constexpr int kTimes = 300;

void Rollback(benchmark::State& state) {
  RollbackDrive drive;
  if (const Status started = drive.Start(); !started.ok()) {
    state.SkipWithError(started.ToString().c_str());
    return;
  }
  for (auto _ : state) {
    std::vector<int64_t> times_ns;
    int64_t most = 0;
    for (int i = 0; i < kTimes; ++i) {
      const auto taken = drive.TakeBack([](RolloutSeat* seat) { RollbackDrive::Grant(seat, 0); });
      if (!taken.ok()) {
        state.SkipWithError(taken.status().ToString().c_str());
        return;
      }
      most = std::max(most, taken->ticks);
      times_ns.push_back(taken->until_ns);
    }
    std::ranges::sort(times_ns);
    const auto us = [&](double share) {
      return 1e-3 * static_cast<double>(times_ns[static_cast<size_t>(share * (kTimes - 1))]);
    };
    state.counters["rollbacks"] = kTimes;
    state.counters["most_ticks"] = static_cast<double>(most);
    state.counters["p50_us"] = us(0.5);
    state.counters["p99_us"] = us(0.99);
    state.counters["max_us"] = us(1);
  }
}
BENCHMARK(Rollback)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace saferl::services
