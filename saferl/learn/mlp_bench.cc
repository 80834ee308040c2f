// GFLOP/s of the training kernels on a 48-64-64-8 network; `--benchmark_filter=avx2` for one table.
#include "benchmark/benchmark.h"
#include "saferl/learn/mlp.h"

namespace saferl::learn {
namespace {

void Run(benchmark::State& state, const Kernels& kernels, bool backward) {
  const Mlp mlp({48, 64, 64, 8}, kernels);
  Random random(1);
  std::vector<float> params(mlp.n_params()), grad(mlp.n_params());
  mlp.Initialise(params, &random, 1.0);
  MlpTile tile = mlp.MakeTile();
  for (int i = 0; i < 48 * kTile; ++i) tile.input()[i] = static_cast<float>(random.Normal());
  const std::vector<float> d_output(8 * kTile, 0.01F);
  for (auto unused : state) {
    mlp.Forward(params, kTile, &tile);
    if (backward) mlp.Backward(params, d_output.data(), &tile, grad);
    benchmark::DoNotOptimize(grad.data());
  }
  // Backward: one product for the weights and, above the first layer, one for the activations.
  const double mac =
      static_cast<double>(mlp.mac()) * (backward ? 3.0 : 1.0) - (backward ? 48.0 * 64 : 0.0);
  state.counters["GFLOP/s"] = benchmark::Counter(
      2e-9 * mac * kTile * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void ForwardPortable(benchmark::State& state) { Run(state, PortableKernels(), false); }
void ForwardBackwardPortable(benchmark::State& state) { Run(state, PortableKernels(), true); }
void ForwardBest(benchmark::State& state) { Run(state, BestKernels(), false); }
void ForwardBackwardBest(benchmark::State& state) { Run(state, BestKernels(), true); }
BENCHMARK(ForwardPortable);
BENCHMARK(ForwardBackwardPortable);
BENCHMARK(ForwardBest);
BENCHMARK(ForwardBackwardBest);

}  // namespace
}  // namespace saferl::learn
