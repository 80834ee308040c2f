// Cost of one filter pass per robot: an easy wish (verified as it is) and a hard one (rows, QP,
// bisection).
#include <benchmark/benchmark.h>

#include "saferl/safety/assumptions.h"
#include "saferl/safety/certificate.h"
#include "saferl/safety/testing/cases.h"

namespace saferl::safety {
namespace {

void RunFilter(benchmark::State& state, const char* robot, bool hard) {
  const testing::Case c = testing::MakeCase(robot);
  if (c.model == nullptr) {
    state.SkipWithError("robot does not load");
    return;
  }
  FilterData data;
  FilterResult result;
  for (auto _ : state) {
    data.previous = c.previous;
    result =
        Filter(*c.model, c.observation, c.now_ns, hard ? c.hard : c.easy, Mode::kNominal, &data);
    benchmark::DoNotOptimize(result);
  }
  state.counters["rows"] = result.n_rows;
  state.counters["bisections"] = result.bisections;
  state.counters["fresh"] = result.proof == Proof::kFresh;
}

void Situations(benchmark::State& state, const char* robot) {
  const testing::Case c = testing::MakeCase(robot);
  Situation situation;
  for (auto _ : state) {
    AssembleSituation(*c.model, c.observation, c.now_ns, c.previous, &situation);
    benchmark::DoNotOptimize(situation);
  }
}

void Monitors(benchmark::State& state, const char* robot) {
  const testing::Case c = testing::MakeCase(robot);
  AssumptionData data;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        CheckAssumptions(*c.model, {}, c.observation, c.now_ns, c.previous, &data));
  }
}

BENCHMARK_CAPTURE(RunFilter, wheelchair_easy, "wheelchair", false);
BENCHMARK_CAPTURE(RunFilter, wheelchair_hard, "wheelchair", true);
BENCHMARK_CAPTURE(RunFilter, arm7_easy, "arm7", false);
BENCHMARK_CAPTURE(RunFilter, arm7_hard, "arm7", true);
BENCHMARK_CAPTURE(RunFilter, exoskeleton_easy, "exoskeleton", false);
BENCHMARK_CAPTURE(RunFilter, exoskeleton_hard, "exoskeleton", true);
BENCHMARK_CAPTURE(Situations, wheelchair, "wheelchair");
BENCHMARK_CAPTURE(Situations, arm7, "arm7");
BENCHMARK_CAPTURE(Monitors, wheelchair, "wheelchair");
BENCHMARK_CAPTURE(Monitors, arm7, "arm7");

}  // namespace
}  // namespace saferl::safety
