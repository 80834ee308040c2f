// Costs of the sim room's inner loops: `build/release/bin/sim_bench`.
#include <benchmark/benchmark.h>

#include "saferl/sim/crowd.h"
#include "saferl/sim/lidar.h"
#include "saferl/sim/scene.h"

namespace saferl::sim {
namespace {

void BM_MakeScene(benchmark::State& state) {
  uint64_t seed = 0;
  for (auto _ : state) benchmark::DoNotOptimize(MakeScene(seed++));
}
BENCHMARK(BM_MakeScene)->Unit(benchmark::kMillisecond);

void BM_Lidar(benchmark::State& state) {
  std::vector<Scene> scenes;
  std::vector<std::vector<Disc>> people;
  for (uint64_t seed = 0; seed < 32; ++seed) {
    scenes.push_back(MakeScene(seed));
    const Crowd crowd(scenes.back());
    people.emplace_back(crowd.people().begin(), crowd.people().end());
  }
  const Lidar lidar(static_cast<int>(state.range(0)), 8.0);
  std::vector<float> ranges(static_cast<size_t>(lidar.beams()));
  size_t i = 0;
  for (auto _ : state) {
    lidar.Cast(scenes[i % 32], people[i % 32], scenes[i % 32].start, ranges);
    benchmark::DoNotOptimize(ranges.data());
    ++i;
  }
}
BENCHMARK(BM_Lidar)->Arg(36)->Arg(72)->Arg(360);

void BM_FindContact(benchmark::State& state) {
  const Scene scene = MakeScene(5);
  const Crowd crowd(scene);
  for (auto _ : state) {
    benchmark::DoNotOptimize(FindContact(scene, crowd.people(), {-0.35, 0.65, 0.33}, scene.start));
  }
}
BENCHMARK(BM_FindContact);

void BM_FieldAt(benchmark::State& state) {
  const Scene scene = MakeScene(5);
  for (auto _ : state) benchmark::DoNotOptimize(scene.true_field().At(scene.start.position()));
}
BENCHMARK(BM_FieldAt);

void BM_FieldAhead(benchmark::State& state) {
  const Scene scene = MakeScene(5);
  for (auto _ : state) {
    benchmark::DoNotOptimize(scene.true_field().Ahead(scene.grid, scene.start.position(), 0.8));
  }
}
BENCHMARK(BM_FieldAhead);

}  // namespace
}  // namespace saferl::sim
