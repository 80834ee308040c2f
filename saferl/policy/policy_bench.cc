// One Forward of 48-64-64-8, hot, per kernel. Paced at 1 kHz: `saferl bench policy`.
#include <benchmark/benchmark.h>

#include "saferl/policy/kernel.h"
#include "saferl/policy/spec_builder.h"

namespace saferl::policy {
namespace {

void BM_Forward(benchmark::State& state) {
  const std::vector<int> hidden = {64, 64};
  const auto made = PolicyAccess::CreateWithKernel(MakeGaussianMlp(48, 8, hidden, 1),
                                                   static_cast<Kernel>(state.range(0)));
  if (!made.ok()) {
    state.SkipWithError("this processor cannot run the kernel");
    return;
  }
  const std::vector<float> observation(48, 0.3F);
  std::vector<float> action(8);
  PolicyScratch scratch;
  for (auto _ : state) {
    benchmark::DoNotOptimize((*made)->Forward(observation, action, &scratch));
  }
  state.SetLabel(Name(static_cast<Kernel>(state.range(0))));
}
BENCHMARK(BM_Forward)->Arg(0)->Arg(1);

}  // namespace
}  // namespace saferl::policy
