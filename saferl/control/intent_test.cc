#include "saferl/control/intent.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "saferl/base/random.h"

namespace saferl::control {
namespace {

std::shared_ptr<const robot::RobotModel> Load(const char* name) {
  auto robot = robot::LoadRobot(name);
  EXPECT_TRUE(robot.ok()) << robot.status();
  return *robot;
}

double LogSumExp(std::initializer_list<double> values) {
  double sum = 0;
  for (double v : values) sum += std::exp(v);
  return std::log(sum);
}

// The check quoted with Javdani et al. (RSS 2015): Q = (-1,-3,-2) and (-3,-1,-2), beta 1, first
// action twice.
TEST(Intent, WorkedCheckOfTheBayesStep) {
  std::array<double, 2> belief = {0.5, 0.5};
  const std::array<double, 2> cost = {1, 3};
  const std::array<double, 2> z = {LogSumExp({-1, -3, -2}), LogSumExp({-3, -1, -2})};
  UpdateBelief(1.0, 0.0, cost, z, belief);
  EXPECT_NEAR(belief[0], 0.881, 5e-4);
  UpdateBelief(1.0, 0.0, cost, z, belief);
  EXPECT_NEAR(belief[0], 0.982, 5e-4);
}

TEST(Intent, ForgettingKeepsEveryGoalAlive) {
  std::array<double, 2> belief = {0.5, 0.5};
  const std::array<double, 2> cost = {0, 50}, z = {0, 0};
  for (int i = 0; i < 100; ++i) UpdateBelief(1.0, 0.01, cost, z, belief);
  EXPECT_GT(belief[0], 0.99);
  EXPECT_GE(belief[1], 0.004);
}

TEST(Intent, BeliefStaysADistribution) {
  Random random(3);
  const IntentModel model{Load("wheelchair")};
  IntentData data;
  Goals goals;
  goals.n = 8;
  robot::RobotState state;
  for (int k = 0; k < 5000; ++k) {
    if (k % 50 == 0)
      for (math::Vec3& p : goals.p_W) p = {random.Uniform(-9, 9), random.Uniform(-9, 9), 0};
    for (int i = 0; i < 3; ++i) state.q[i] = random.Uniform(-5, 5);
    robot::Joints u{};
    for (int i = 0; i < 2; ++i) u[i] = random.Uniform(-2, 2);
    UpdateIntent(model, state, u, goals, &data);
    double sum = 0;
    for (double b : data.belief) {
      ASSERT_GE(b, 0);
      sum += b;
    }
    ASSERT_NEAR(sum, 1, 1e-9);
  }
}

TEST(Intent, FollowsAChangeOfMindWithinTwoSeconds) {
  const IntentModel model{Load("wheelchair")};
  IntentData data;
  Goals goals;
  goals.n = 2;
  goals.p_W[0] = {30, 0, 0};
  goals.p_W[1] = {-30, 0, 0};
  robot::RobotState state;
  const double period = model.robot->period_s();
  for (int k = 0; k < static_cast<int>(10 / period); ++k)
    UpdateIntent(model, state, {1, 0}, goals, &data);
  EXPECT_GT(data.belief[0], 0.95);
  state.q[2] = 3.1;  // turned round; now forward is the other way
  int ticks = 0;
  while (data.belief[1] < 0.9 && ticks < static_cast<int>(5 / period)) {
    UpdateIntent(model, state, {1, 0}, goals, &data);
    ++ticks;
  }
  EXPECT_LE(ticks * period, 2.0);
}

TEST(Intent, SilenceMovesTheBeliefOnlyTowardUniform) {
  const IntentModel model{Load("wheelchair")};
  IntentData data;
  Goals goals;
  goals.n = 2;
  goals.p_W[0] = {3, 0, 0};
  goals.p_W[1] = {0, 3, 0};
  for (int k = 0; k < 100; ++k) UpdateIntent(model, {}, {1, 0}, goals, &data);
  const double before = data.belief[0];
  for (int k = 0; k < 100; ++k) UpdateIntent(model, {}, {0, 0}, goals, &data);
  EXPECT_LT(data.belief[0], before);
  EXPECT_GT(data.belief[0], 0.5);
}

TEST(Intent, ReadsTheArmsToolMotion) {
  IntentModel model{Load("arm7")};
  IntentData data;
  robot::RobotState state;
  state.q = {0, 0.5, 0, 1.3, 0, 1.0, 0};
  robot::Joints u{};
  u[0] = 0.5;  // swings the tool sideways
  const Viewpoint now = ViewNow(model, state), next = ViewAhead(model, state, now, u, 0.5);
  Goals goals;
  goals.n = 2;
  goals.p_W[0] = now.p_W + 4.0 * (next.p_W - now.p_W);
  goals.p_W[1] = now.p_W - 4.0 * (next.p_W - now.p_W);
  for (int k = 0; k < 2000; ++k) UpdateIntent(model, state, u, goals, &data);
  EXPECT_EQ(MostLikely(data.belief, 2), 0);
  EXPECT_GT(Confidence(data.belief, 2), 0.5);
}

TEST(Intent, ConfidenceIsTheLeadOfTheFirstGoal) {
  EXPECT_DOUBLE_EQ(Confidence({0.6, 0.3, 0.1}, 3), 0.3);
  EXPECT_DOUBLE_EQ(Confidence({1}, 1), 1);
  EXPECT_DOUBLE_EQ(Confidence({}, 0), 0);
  EXPECT_EQ(MostLikely({}, 0), -1);
}

}  // namespace
}  // namespace saferl::control
