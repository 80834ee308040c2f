// The yardstick of docs/benchmarks.md: H = I, |x| <= 1, m one-sided rows, f, A and b drift each
// tick.
#include <benchmark/benchmark.h>

#include <vector>

#include "saferl/math/qp_problems.h"

namespace saferl::math {
namespace {

void DriftingTicks(benchmark::State& state) {
  const int n = static_cast<int>(state.range(0)), m = static_cast<int>(state.range(1));
  const bool warm = state.range(2) != 0;
  DriftingQp drifting(n, m, 0.01 * static_cast<double>(state.range(3)), 1);
  std::vector<QpProblem> ticks;
  for (int i = 0; i < 1000; ++i) ticks.push_back(drifting.Next());
  QpWorkspace workspace;
  QpSolution solution;
  size_t tick = 0;
  double active = 0, solved = 0;
  for (auto _ : state) {
    if (!warm) workspace.Reset();
    SolveQp(ticks[tick], &workspace, &solution);
    benchmark::DoNotOptimize(solution);
    tick = tick + 1 == ticks.size() ? 0 : tick + 1;
    active += workspace.n_active;
    solved += solution.status == QpStatus::kSolved;
  }
  const auto n_ticks = static_cast<double>(state.iterations());
  state.counters["active"] = active / n_ticks;
  state.counters["solved"] = solved / n_ticks;
}
BENCHMARK(DriftingTicks)
    ->ArgNames({"n", "m", "warm", "push_percent"})
    ->ArgsProduct({{2}, {4}, {0, 1}, {110}})
    ->ArgsProduct({{3}, {6}, {0, 1}, {105}})
    ->ArgsProduct({{6}, {8}, {0, 1}, {85}})
    ->ArgsProduct({{7}, {10}, {0, 1}, {93}})
    ->ArgsProduct({{12}, {16}, {0, 1}, {84}})
    ->ArgsProduct({{14}, {20}, {0, 1}, {74}});

}  // namespace
}  // namespace saferl::math
