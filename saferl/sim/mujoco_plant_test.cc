#include "saferl/sim/mujoco_plant.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "saferl/base/random.h"
#include "saferl/robot/exoskeleton.h"

namespace saferl::sim {
namespace {

using robot::Joints;

Joints Step(const robot::RobotModel& robot, const Joints& previous, const Joints& wish) {
  Joints u = previous;
  for (int i = 0; i < robot.n(); ++i) {
    const bool slowing = std::abs(wish[i]) < std::abs(previous[i]);
    const double step =
        (slowing ? robot.limits().brake[i] : robot.limits().command_rate[i]) * robot.period_s();
    u[i] += std::clamp(wish[i] - previous[i], -step, step);
  }
  return u;
}

/// Drives random wishes; the true rate must stay within the stated tracking error of the commands
/// that act.
TEST(MujocoPlant, TheChairFollowsWithinItsStatedTrackingError) {
  const auto robot = robot::LoadRobot("wheelchair");
  ASSERT_TRUE(robot.ok()) << robot.status();
  auto plant = MujocoPlant::Create(*robot, nullptr);
  ASSERT_TRUE(plant.ok()) << plant.status();
  (*plant)->Reset({1, 2, 0.5}, 0);
  Random random(3);
  Joints previous{}, wish{};
  std::array<double, 2> worst{};
  int64_t now = 0;
  for (int k = 0; k < 1500; ++k) {
    if (k % 60 == 0) wish = {random.Uniform(-0.5, 1.2), random.Uniform(-1.5, 1.5)};
    const Joints u = Step(**robot, previous, wish);
    safety::Command command;
    command.issued_ns = now;
    command.valid_for_ns = std::llround(1e9 * (*robot)->hold_s());
    command.u = u;
    (*plant)->Apply(command, 0);
    for (int part = 0; part < 10; ++part) {
      (*plant)->Advance(0.1 * (*robot)->period_s());
      const Joints rate = (*plant)->Truth().qd;
      for (int i = 0; i < 2; ++i) {
        const double low = std::min(previous[i], u[i]), high = std::max(previous[i], u[i]);
        worst[static_cast<size_t>(i)] =
            std::max({worst[static_cast<size_t>(i)], low - rate[i], rate[i] - high});
      }
    }
    previous = u;
    now += std::llround(1e9 * (*robot)->period_s());
  }
  std::printf("tracking error of the MuJoCo chair: %.4f m/s, %.4f rad/s\n", worst[0], worst[1]);
  EXPECT_LE(worst[0], (*robot)->tracking_error()[0]);
  EXPECT_LE(worst[1], (*robot)->tracking_error()[1]);
  EXPECT_GT(worst[0], 0.0);
}

TEST(MujocoPlant, BrakesAloneAtLeastAsHardAsRatedWhenNothingNewerArrives) {
  const auto robot = robot::LoadRobot("wheelchair");
  ASSERT_TRUE(robot.ok()) << robot.status();
  auto plant = MujocoPlant::Create(*robot, nullptr);
  ASSERT_TRUE(plant.ok()) << plant.status();
  (*plant)->Reset({}, 0);
  Joints u{};
  int64_t now = 0;
  const int64_t period = std::llround(1e9 * (*robot)->period_s());
  safety::Command command;
  for (int k = 0; k < 100; ++k, now += period) {
    u = Step(**robot, u, {1.0, 0, 0});
    command = {};
    command.issued_ns = now;
    command.valid_for_ns = std::llround(1e9 * (*robot)->hold_s());
    command.u = u;
    (*plant)->Apply(command, 0);
    (*plant)->Advance((*robot)->period_s());
  }
  EXPECT_NEAR((*plant)->Truth().qd[0], 1.0, 0.03);
  const double silent_until = 1e-9 * static_cast<double>(command.valid_for_ns - period);
  const double stop = silent_until + 1.0 / (*robot)->limits().brake[0] + 0.03;
  (*plant)->Advance(stop);
  EXPECT_NEAR((*plant)->Truth().qd[0], 0.0, 0.03);
}

TEST(MujocoPlant, WallsHoldTheChair) {
  const auto robot = robot::LoadRobot("wheelchair");
  ASSERT_TRUE(robot.ok()) << robot.status();
  Scene scene;
  scene.boxes = {{2.0, 0, 0, 0.1, 3.0}};
  auto plant = MujocoPlant::Create(*robot, &scene);
  ASSERT_TRUE(plant.ok()) << plant.status();
  (*plant)->Reset({}, 0);
  Joints u{};
  int64_t now = 0;
  for (int k = 0; k < 300; ++k, now += 20'000'000) {
    u = Step(**robot, u, {0.6, 0, 0});
    safety::Command command;
    command.issued_ns = now;
    command.valid_for_ns = 70'000'000;
    command.u = u;
    (*plant)->Apply(command, 0);
    (*plant)->Advance(0.02);
  }
  EXPECT_LT((*plant)->Truth().q[0], 1.4);
  EXPECT_GT((*plant)->Truth().q[0], 1.1);
}

TEST(MujocoPlant, TheArmFollowsWithinItsStatedTrackingError) {
  const auto robot = robot::LoadRobot("arm7");
  ASSERT_TRUE(robot.ok()) << robot.status();
  auto plant = MujocoPlant::Create(*robot, nullptr);
  ASSERT_TRUE(plant.ok()) << plant.status();
  (*plant)->Reset({0, 0.5, 0, 1.3, 0, 1.0, 0}, 0);
  Random random(4);
  Joints previous{}, wish{};
  double worst = 0;
  int64_t now = 0;
  const int64_t period = std::llround(1e9 * (*robot)->period_s());
  for (int k = 0; k < 4000; ++k, now += period) {
    if (k % 400 == 0) {
      for (int i = 0; i < (*robot)->n(); ++i) wish[i] = random.Uniform(-0.8, 0.8);
    }
    const Joints u = Step(**robot, previous, wish);
    safety::Command command;
    command.issued_ns = now;
    command.valid_for_ns = std::llround(1e9 * (*robot)->hold_s());
    command.u = u;
    (*plant)->Apply(command, 0);
    (*plant)->Advance((*robot)->period_s());
    const Joints rate = (*plant)->Truth().qd;
    for (int i = 0; i < (*robot)->n(); ++i) {
      const double low = std::min(previous[i], u[i]), high = std::max(previous[i], u[i]);
      worst = std::max({worst, low - rate[i], rate[i] - high});
    }
    previous = u;
  }
  std::printf("tracking error of the MuJoCo arm: %.4f rad/s\n", worst);
  EXPECT_LE(worst, (*robot)->tracking_error()[0]);
}

/// The legs of the physics are the legs of the safety model: same acceleration under the same
/// torque.
TEST(MujocoPlant, TheExoskeletonMovesAsItsModelSays) {
  const auto loaded = robot::LoadRobot("exoskeleton");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const auto& exoskeleton = static_cast<const robot::Exoskeleton&>(**loaded);
  auto plant = MujocoPlant::Create(*loaded, nullptr);
  ASSERT_TRUE(plant.ok()) << plant.status();
  Random random(5);
  for (int k = 0; k < 50; ++k) {
    Joints q{}, u{};
    for (int i = 0; i < 4; ++i) {
      q[i] = random.Uniform(0, 1.2);
      u[i] = random.Uniform(-30, 30);
    }
    (*plant)->Reset(q, 0);
    safety::Command command;
    command.valid_for_ns = 1'000'000'000;
    command.u = u;
    (*plant)->Apply(command, 0);
    (*plant)->Advance(0.001);
    const Joints expected = exoskeleton.Acceleration(q, {}, u);
    const Joints rate = (*plant)->Truth().qd;
    for (int i = 0; i < 4; ++i)
      EXPECT_NEAR(rate[i], 0.001 * expected[i], 1e-4 + 0.02 * std::abs(0.001 * expected[i]));
  }
}

}  // namespace
}  // namespace saferl::sim
