// Cost of what the filter calls every tick: placement, prediction, clearance, nearest pairs.
#include <benchmark/benchmark.h>

#include "saferl/base/random.h"
#include "saferl/robot/arm.h"
#include "saferl/robot/human.h"

namespace saferl::robot {
namespace {

constexpr int kVariants = 64;

/// A robot with varied states, commands and sixteen capsules of people at about `distance_m`.
struct Scene {
  std::shared_ptr<const RobotModel> robot;
  std::array<RobotState, kVariants> state;
  std::array<Joints, kVariants> command;
  std::array<math::Capsule, 16> people;

  Scene(const char* name, double speed, double distance_m) {
    robot = *LoadRobot(name);
    Random rng(1);
    const Limits& l = robot->limits();
    for (int k = 0; k < kVariants; ++k) {
      for (int j = 0; j < robot->n(); ++j) {
        state[k].q[j] = rng.Uniform(-0.5, 0.5);
        command[k][j] = speed * rng.Uniform(l.command_lower[j], l.command_upper[j]);
        if (robot->kind() != Kind::kExoskeleton) state[k].qd[j] = command[k][j];
      }
      if (robot->kind() == Kind::kExoskeleton) command[k] = robot->Brake(state[k], {});
    }
    for (auto& c : people) {
      const double angle = rng.Uniform(-3.1, 3.1), z = rng.Uniform(0.2, 1.6);
      const math::Vec3 a{distance_m * std::cos(angle), distance_m * std::sin(angle), z};
      c = {a, a + math::Vec3{0.1, 0.1, 0.25}, 0.1};
    }
  }
};

void Place(benchmark::State& bench, const char* name) {
  const Scene scene(name, 0.3, 1);
  Placement place;
  int k = 0;
  for (auto _ : bench) {
    scene.robot->Place(scene.state[k++ % kVariants].q, &place);
    benchmark::DoNotOptimize(place);
  }
}

void Predict(benchmark::State& bench, const char* name, double speed) {
  const Scene scene(name, speed, 1);
  Manoeuvre m;
  int k = 0;
  int64_t samples = 0;
  for (auto _ : bench) {
    const Joints& u = scene.command[k % kVariants];
    scene.robot->Predict(scene.state[k++ % kVariants], u, u, &m);
    benchmark::DoNotOptimize(m);
    samples += m.n;
  }
  bench.counters["samples"] =
      benchmark::Counter(static_cast<double>(samples), benchmark::Counter::kAvgIterations);
}

void Clearance(benchmark::State& bench, const char* name, double distance_m) {
  const Scene scene(name, 0.3, distance_m);
  Manoeuvre m;
  scene.robot->Predict(scene.state[0], scene.command[0], scene.command[0], &m);
  for (auto _ : bench) {
    const ManoeuvreSample& s = m.sample[0];
    benchmark::DoNotOptimize(scene.robot->Clearance(s.placement, scene.people, s.reach_m, 0.5));
  }
}

void Near(benchmark::State& bench, const char* name, double distance_m) {
  const Scene scene(name, 0.3, distance_m);
  Placement place;
  scene.robot->Place(scene.state[0].q, &place);
  std::array<Nearness, 24> near;
  int n = 0;
  for (auto _ : bench) {
    n = scene.robot->Near(scene.state[0], place, scene.people, 0.8, near);
    benchmark::DoNotOptimize(near);
  }
  bench.counters["pairs"] = n;
}

BENCHMARK_CAPTURE(Place, arm7, "arm7");
BENCHMARK_CAPTURE(Place, exoskeleton, "exoskeleton");
BENCHMARK_CAPTURE(Predict, arm7_slow, "arm7", 0.1);
BENCHMARK_CAPTURE(Predict, arm7_half, "arm7", 0.5);
BENCHMARK_CAPTURE(Predict, arm7_full, "arm7", 1.0);
BENCHMARK_CAPTURE(Predict, wheelchair_full, "wheelchair", 1.0);
BENCHMARK_CAPTURE(Predict, exoskeleton, "exoskeleton", 1.0);
BENCHMARK_CAPTURE(Clearance, arm7_people_far, "arm7", 3.0);
BENCHMARK_CAPTURE(Clearance, arm7_people_near, "arm7", 0.8);
BENCHMARK_CAPTURE(Clearance, wheelchair_people_near, "wheelchair", 1.5);
BENCHMARK_CAPTURE(Near, arm7_people_far, "arm7", 3.0);
BENCHMARK_CAPTURE(Near, arm7_people_near, "arm7", 0.8);

}  // namespace
}  // namespace saferl::robot
