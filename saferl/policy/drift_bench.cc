// What drift detection costs: one recorded sample, in the tick's thread; one block taken and one
// whole window looked at, in the watch's thread.
#include <benchmark/benchmark.h>

#include "saferl/base/random.h"
#include "saferl/policy/drift.h"
#include "saferl/policy/spec_builder.h"

namespace saferl::policy {
namespace {

PolicySpec Spec(int n_obs) { return MakeGaussianMlp(n_obs, 8, std::vector<int>{16}, 1); }

void BM_Record(benchmark::State& state) {
  const auto n = static_cast<int>(state.range(0));
  DriftDetector detector(Spec(n), {});
  const auto stream = detector.AddStream();
  Random random(1);
  std::vector<float> observation(static_cast<size_t>(n)), action(8, 0.1F);
  for (float& x : observation) x = static_cast<float>(random.Normal());
  for (auto _ : state) {
    stream->Record(observation, action, 0);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_Record)->ArgName("n_obs")->Arg(48)->Arg(256);

/// All blocks of a window: taken, with the looks at its parts.
void BM_CollectWindow(benchmark::State& state) {
  DriftOptions options;
  options.block = 1;
  DriftDetector detector(Spec(48), options);
  const auto stream = detector.AddStream();
  Random random(1);
  std::vector<float> observation(48), action(8, 0.1F);
  for (auto _ : state) {
    for (int block = 0; block < options.blocks; ++block) {
      for (float& x : observation) x = static_cast<float>(random.Normal());
      stream->Record(observation, action, 0);
      if (block % 8 == 7) detector.Collect();
    }
  }
}
BENCHMARK(BM_CollectWindow)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace saferl::policy
