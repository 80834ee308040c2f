#include "saferl/safety/gate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "saferl/base/random.h"
#include "saferl/safety/testing/point_robot.h"

namespace saferl::safety {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

GateResult Send(const robot::RobotModel& robot, double previous, double wanted) {
  return Gate(robot, {}, {previous}, {wanted}, Mode::kNominal, Reason::kNone, 77, 5);
}

TEST(Gate, PassesAGoodCommandUnchanged) {
  const testing::PointRobot robot({});
  const GateResult r = Send(robot, 0.5, 0.52);
  EXPECT_TRUE(r.passed);
  EXPECT_EQ(r.command.u[0], 0.52);
  EXPECT_EQ(r.command.issued_ns, 77);
  EXPECT_EQ(r.command.sequence, 5U);
  EXPECT_EQ(r.command.valid_for_ns, 100'000'000);
  EXPECT_EQ(r.command.reason, Reason::kNone);
}

TEST(Gate, ReplacesNanLimitAndRateByBraking) {
  const testing::PointRobot robot({});
  const double brake = robot.Brake({}, {1.0})[0];
  for (double bad : {kNan, std::numeric_limits<double>::infinity(), 1.2, 0.5, -1.0, 9.0}) {
    const GateResult r = Send(robot, 1.0, bad);
    EXPECT_FALSE(r.passed) << bad;
    EXPECT_EQ(r.command.u[0], brake) << bad;
    EXPECT_EQ(r.command.reason, Reason::kGateRejected);
    EXPECT_EQ(r.command.mode, Mode::kControlledStop);
    EXPECT_GT(r.command.valid_for_ns, 0);
  }
}

TEST(Gate, NeverForbidsBraking) {
  const testing::PointRobot robot({});
  for (double v = -1.5; v <= 1.5; v += 0.01)
    EXPECT_TRUE(Send(robot, v, robot.Brake({}, {v})[0]).passed) << v;
}

TEST(Gate, WithoutAnyUsableCommandItStandsStillWithNoValidity) {
  const testing::PointRobot robot({});
  const GateResult r = Send(robot, 9.0, kNan);  // even braking from here is outside the limits
  EXPECT_FALSE(r.passed);
  EXPECT_EQ(r.command.u[0], 0);
  EXPECT_EQ(r.command.valid_for_ns, 0);
}

TEST(Gate, ValuesBeyondTheLastJointAreRefused) {
  const testing::PointRobot robot({});
  EXPECT_FALSE(Gate(robot, {}, {}, {0.0, 0.1}, Mode::kNominal, Reason::kNone, 0, 0).passed);
}

TEST(Gate, WhatLeavesIsAlwaysInsideTheLimits) {
  const testing::PointRobot robot({.n = 3});
  Random random(9);
  for (int i = 0; i < 100'000; ++i) {
    robot::Joints previous{}, wanted{};
    for (int k = 0; k < 3; ++k) {
      previous[k] = random.Uniform(-1.5, 1.5);
      wanted[k] = random.Chance(0.05) ? kNan : random.Uniform(-4, 4);
    }
    const Command c =
        Gate(robot, {}, previous, wanted, Mode::kNominal, Reason::kNone, 0, 0).command;
    for (int k = 0; k < 3; ++k) ASSERT_TRUE(std::abs(c.u[k]) <= 1.5 + 1e-9);
  }
}

TEST(Gate, KeepsTheMoreSevereMode) {
  const testing::PointRobot robot({});
  const GateResult r =
      Gate(robot, {}, {0}, {kNan}, Mode::kProtectiveStop, Reason::kBrakeFade, 0, 0);
  EXPECT_EQ(r.command.mode, Mode::kProtectiveStop);
}

}  // namespace
}  // namespace saferl::safety
