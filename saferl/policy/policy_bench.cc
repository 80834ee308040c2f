// One Forward of 48-N-N-8, hot, per kernel, in float32, with float16 weights and with an int8 inner
// layer. Paced at 1
// kHz: `saferl bench policy`.
#include <benchmark/benchmark.h>

#include "saferl/policy/kernel.h"
#include "saferl/policy/quantise.h"
#include "saferl/policy/spec_builder.h"

namespace saferl::policy {
namespace {

void BM_Forward(benchmark::State& state) {
  const auto width = static_cast<int>(state.range(1));
  const std::vector<int> hidden = {width, width};
  PolicySpec spec = MakeGaussianMlp(48, 8, hidden, 1);
  if (state.range(2) == 16) RoundWeights(&spec);
  if (state.range(2) == 8) spec = Quantise(spec, 10, 1, 1).value();
  const auto made = PolicyAccess::CreateWithKernel(spec, static_cast<Kernel>(state.range(0)));
  if (!made.ok()) {
    state.SkipWithError("this processor cannot run the kernel");
    return;
  }
  const std::vector<float> observation(48, 0.3F);
  std::vector<float> action(8);
  for (auto _ : state) {
    benchmark::DoNotOptimize((*made)->Forward(observation, action));
  }
  state.SetLabel(Name(static_cast<Kernel>(state.range(0))));
}
BENCHMARK(BM_Forward)
    ->ArgNames({"kernel", "width", "bits"})
    ->ArgsProduct({{0, 1}, {64, 256}, {32, 16, 8}});

}  // namespace
}  // namespace saferl::policy
