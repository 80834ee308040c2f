// SweepClearance says what Clearance says over all samples, for every robot: what it skips never
// mattered.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "saferl/base/random.h"
#include "saferl/robot/robot_model.h"

namespace saferl::robot {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int kMost = 160;

struct Scene {
  Manoeuvre m;
  std::array<math::Capsule, kMost> obstacle;
  std::array<double, kMost> grown{};
  size_t n = 0;

  std::span<const math::Capsule> obstacles() const { return {obstacle.data(), n}; }
  std::span<const double> growth() const { return {grown.data(), n}; }
};

void Fill(const RobotModel& robot, int trial, Random* rng, Scene* scene) {
  RobotState state;
  Joints command{}, previous{};
  const bool exoskeleton = robot.kind() == Kind::kExoskeleton;
  const double share = trial % 4 == 0 ? 1.0 : rng->Uniform();
  for (int j = 0; j < robot.n(); ++j) {
    state.q[j] = rng->Uniform(-1, 1);
    command[j] =
        share * rng->Uniform(robot.limits().command_lower[j], robot.limits().command_upper[j]);
    if (exoskeleton) continue;
    previous[j] = state.qd[j] = command[j];
  }
  if (exoskeleton) command = previous = robot.Brake(state, {});
  robot.Predict(state, previous, command, &scene->m);
  scene->n = static_cast<size_t>(trial % 3 == 0 ? kMost : 1 + trial % 29);
  const double spread = trial % 2 == 0 ? 1.5 : 4.0;
  for (size_t i = 0; i < scene->n; ++i) {
    const math::Vec3 a{rng->Uniform(-spread, spread), rng->Uniform(-spread, spread),
                       rng->Uniform(0, 1.5)};
    math::Vec3 b = a;
    const double length = trial % 5 == 0 ? 1.0 : 0.1;
    if (i % 3 != 0)
      b = a + math::Vec3{rng->Uniform(-length, length), rng->Uniform(-length, length),
                         rng->Uniform(-length, length)};
    scene->obstacle[i] = {a, b, rng->Uniform(0, 0.15)};
    scene->grown[i] = rng->Uniform(0, 0.2);
  }
}

double SampleBySample(const RobotModel& robot, const Scene& scene, bool grown) {
  double least = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < scene.n; ++i) {
    math::Capsule one = scene.obstacle[i];
    if (grown) one.radius += scene.grown[i];
    for (int k = 0; k < scene.m.n; ++k) {
      const ManoeuvreSample& s = scene.m.sample[k];
      least = std::min(least, robot.Clearance(s.placement, {&one, 1}, s.reach_m, 1e9));
    }
  }
  return least;
}

class SweepClearance : public testing::TestWithParam<const char*> {};

TEST_P(SweepClearance, IsTheLeastOverAllSamples) {
  const auto robot = *LoadRobot(GetParam());
  Random rng(5);
  Scene scene;
  int touching = 0, apart = 0;
  for (int trial = 0; trial < 4000; ++trial) {
    Fill(*robot, trial, &rng, &scene);
    const bool grown = trial % 2 == 0;
    const double slow = SampleBySample(*robot, scene, grown);
    const std::span<const double> growth = grown ? scene.growth() : std::span<const double>();
    EXPECT_EQ(robot->SweepClearance(scene.m, scene.obstacles(), growth, 1e9), slow);
    for (const double enough : {0.0, 0.05, 0.5}) {
      EXPECT_EQ(robot->SweepClearance(scene.m, scene.obstacles(), growth, enough),
                std::min(slow, enough));
    }
    ++(slow < 0 ? touching : apart);
  }
  EXPECT_GT(touching, 200);
  EXPECT_GT(apart, 200);
}

TEST_P(SweepClearance, NanAnywhereIsNan) {
  const auto robot = *LoadRobot(GetParam());
  Random rng(6);
  Scene scene;
  for (int trial = 0; trial < 300; ++trial) {
    Fill(*robot, trial, &rng, &scene);
    Scene bad = scene;
    const size_t i = static_cast<size_t>(trial) % bad.n;
    switch (trial % 5) {
      case 0:
        bad.obstacle[i].a.x = kNan;
        break;
      case 1:
        bad.obstacle[i].b.y = kNan;
        break;
      case 2:
        bad.obstacle[i].radius = kNan;
        break;
      case 3:
        bad.grown[i] = kNan;
        break;
      case 4:
        bad.m.sample[trial % bad.m.n].reach_m[0] = kNan;
        break;
    }
    EXPECT_TRUE(std::isnan(robot->SweepClearance(bad.m, bad.obstacles(), bad.growth(), 1e9)));
  }
  scene.m.n = 0;
  EXPECT_TRUE(std::isnan(robot->SweepClearance(scene.m, {}, {}, 1)));
}

INSTANTIATE_TEST_SUITE_P(Robots, SweepClearance,
                         testing::Values("wheelchair", "arm7", "exoskeleton"));

}  // namespace
}  // namespace saferl::robot
