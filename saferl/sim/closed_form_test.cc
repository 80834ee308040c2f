#include "saferl/sim/closed_form.h"

#include <gtest/gtest.h>

#include <cmath>

#include "saferl/base/random.h"

namespace saferl::sim {
namespace {

constexpr int64_t kPeriodNs = 20'000'000;

PlantBounds ChairBounds() {
  PlantBounds bounds;
  bounds.n = 2;
  bounds.planar_base = true;
  bounds.drive_rate = {1.0, 2.0};
  bounds.brake_rate = {2.0, 4.0};
  bounds.tracking = {0.02, 0.03};
  return bounds;
}

safety::Command CommandAt(int64_t now_ns, double v, double omega, int64_t valid_for_ns) {
  safety::Command command;
  command.issued_ns = now_ns;
  command.valid_for_ns = valid_for_ns;
  command.u = {v, omega};
  return command;
}

TEST(VelocityPlant, BenignRobotFollowsAnArcExactly) {
  VelocityPlant plant(ChairBounds());
  plant.Reset({1, 2, 0.5}, 0);
  plant.Apply(CommandAt(0, 0.8, 0.4, 2'000'000'000), 0);
  plant.Advance(1.5);
  // Circle of radius v / omega through the start pose.
  const double r = 2.0, yaw = 0.5 + 0.4 * 1.5;
  const robot::RobotState state = plant.Truth();
  EXPECT_NEAR(state.q[0], 1 + r * (std::sin(yaw) - std::sin(0.5)), 1e-9);
  EXPECT_NEAR(state.q[1], 2 - r * (std::cos(yaw) - std::cos(0.5)), 1e-9);
  EXPECT_NEAR(state.q[2], yaw, 1e-12);
  EXPECT_EQ(state.stamp_ns, 1'500'000'000);
}

TEST(VelocityPlant, BrakesAloneAtTheRatedDecelerationWhenNothingNewerArrives) {
  VelocityPlant plant(ChairBounds());
  plant.Reset({}, 0);
  plant.Apply(CommandAt(0, 1.0, 0, 100'000'000), 0);
  plant.Advance(0.1);
  EXPECT_TRUE(plant.braking_alone());
  plant.Advance(0.25);
  EXPECT_NEAR(plant.Truth().qd[0], 0.5, 1e-12);
  plant.Advance(0.25);
  EXPECT_TRUE(plant.at_rest());
  // 0.1 m at full speed, then v^2 / (2 b) = 0.25 m.
  EXPECT_NEAR(plant.Truth().q[0], 0.1 + 0.25, 1e-9);
  const double x = plant.Truth().q[0];
  plant.Advance(1);
  EXPECT_EQ(plant.Truth().q[0], x);
}

TEST(VelocityPlant, DelayKeepsThePreviousCommandActing) {
  VelocityPlant plant(ChairBounds());
  plant.Reset({}, 0);
  plant.Apply(CommandAt(0, 0.5, 0, 1'000'000'000), 0);
  plant.Advance(0.02);
  plant.Apply(CommandAt(kPeriodNs, -0.5, 0, 1'000'000'000), 0.05);
  plant.Advance(0.0499);
  EXPECT_NEAR(plant.Truth().qd[0], 0.5, 1e-12);
  plant.Advance(0.0002);
  EXPECT_NEAR(plant.Truth().qd[0], -0.5, 1e-12);
}

TEST(VelocityPlant, SlowestRampIsTheRatedOne) {
  VelocityPlant plant(ChairBounds());
  plant.Reset({}, 0);
  plant.freedom().lag = 1;
  plant.Apply(CommandAt(0, 1.0, 0, 4'000'000'000), 0);
  plant.Advance(0.5);
  EXPECT_NEAR(plant.Truth().qd[0], 0.5, 1e-9);
  plant.Advance(0.5);
  EXPECT_NEAR(plant.Truth().qd[0], 1.0, 1e-9);
  plant.Apply(CommandAt(1'000'000'000, 0, 0, 4'000'000'000), 0);
  plant.Advance(0.25);
  EXPECT_NEAR(plant.Truth().qd[0], 0.5, 1e-9);
}

TEST(VelocityPlant, TrackingErrorStaysInsideItsBoundAndRestIsRest) {
  Random random(7);
  VelocityPlant plant(ChairBounds());
  plant.Reset({}, 0);
  plant.freedom().tracking = {1, -1};
  plant.Apply(CommandAt(0, 0.5, 0.5, 100'000'000), 0);
  plant.Advance(0.05);
  EXPECT_NEAR(plant.Truth().qd[0], 0.52, 1e-12);
  EXPECT_NEAR(plant.Truth().qd[1], 0.47, 1e-12);
  plant.Advance(2);
  EXPECT_EQ(plant.Truth().qd[0], 0);
}

TEST(VelocityPlant, IgnoresCommandsThatAreNotFinite) {
  VelocityPlant plant(ChairBounds());
  plant.Reset({}, 0);
  plant.Apply(CommandAt(0, std::nan(""), 0, 1'000'000'000), 0);
  plant.Advance(0.5);
  EXPECT_TRUE(plant.at_rest());
  EXPECT_EQ(plant.Truth().q[0], 0);
}

}  // namespace
}  // namespace saferl::sim
