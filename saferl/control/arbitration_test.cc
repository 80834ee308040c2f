#include "saferl/control/arbitration.h"

#include <gtest/gtest.h>

#include <cmath>

#include "saferl/base/random.h"

namespace saferl::control {
namespace {

class ArbitrationTest : public testing::Test {
 protected:
  void SetUp() override {
    auto robot = robot::LoadRobot("wheelchair");
    ASSERT_TRUE(robot.ok()) << robot.status();
    model_.method = Arbitration::kConfidence;
    intent_.robot = model_.robot = *robot;
    goals_.n = 2;
    goals_.p_W[0] = {5, 0, 0};
    goals_.p_W[1] = {0, 5, 0};
    belief_.n_goals = 2;
    belief_.belief = {0.95, 0.05};
    input_.intent = &intent_;
    input_.belief = &belief_;
    input_.goals = &goals_;
    input_.state = &state_;
    input_.human_u = {0.8, 0.3};
    input_.policy_u = {1.0, 0.0};
    input_.policy_usable = true;
  }
  double Settle(int ticks = 500) {
    for (int k = 0; k < ticks; ++k) u_ = Blend(model_, input_, &data_);
    return data_.authority;
  }

  ArbitrationModel model_;
  ArbitrationData data_;
  IntentModel intent_;
  IntentData belief_;
  Goals goals_;
  robot::RobotState state_;
  BlendInput input_;
  robot::Joints u_{};
};

TEST_F(ArbitrationTest, AuthorityIsCapped) {
  model_.confidence_gain = 100;
  EXPECT_NEAR(Settle(), model_.authority_cap, 1e-12);
  EXPECT_NEAR(u_[0], 0.8 + model_.authority_cap * 0.2, 1e-9);
}

TEST_F(ArbitrationTest, ACapOfZeroPassesThePersonUnchanged) {
  model_.authority_cap = 0;
  EXPECT_EQ(Settle(), 0);
  EXPECT_EQ(u_, input_.human_u);
}

TEST_F(ArbitrationTest, NeedLeavesAloneWhoeverDrivesAsWellAsThePolicy) {
  model_.method = Arbitration::kNeed;
  input_.human_u = {1.0, 0.1};
  input_.policy_u = {0.8, 0.1};
  EXPECT_EQ(Settle(), 0);
  EXPECT_EQ(u_, input_.human_u);
  EXPECT_LT(data_.need, 0);
}

TEST_F(ArbitrationTest, NeedHelpsWhoeverLosesTimeUpToWhatConfidenceGives) {
  model_.method = Arbitration::kNeed;
  input_.human_u = {0.3, 0.3};
  const double helped = Settle(2000);
  EXPECT_GT(data_.need, model_.need_full);
  data_ = {};
  model_.method = Arbitration::kConfidence;
  EXPECT_EQ(helped, Settle());
  // Half the loss that earns full authority earns half of it.
  data_ = {};
  model_.method = Arbitration::kNeed;
  Settle(5000);  // 25 times its memory: the mean has arrived
  model_.need_full = 2 * data_.need;
  EXPECT_NEAR(Settle(), 0.5 * std::min(1.0, model_.confidence_gain * (0.9 - 0.2)), 1e-6);
}

TEST_F(ArbitrationTest, NeedForgetsWithItsMemory) {
  model_.method = Arbitration::kNeed;
  input_.human_u = {0.3, 0.3};
  Settle(2000);
  const double before = data_.need;
  input_.human_u = input_.policy_u;
  Settle(static_cast<int>(std::lround(model_.need_memory_s / model_.robot->period_s())));
  EXPECT_NEAR(data_.need / before, std::exp(-1.0), 0.01);
}

TEST_F(ArbitrationTest, SafetyMethodPassesThePersonUnchanged) {
  model_.method = Arbitration::kSafety;
  EXPECT_EQ(Settle(), 0);
  EXPECT_EQ(u_, input_.human_u);
}

TEST_F(ArbitrationTest, NoCommandFromThePersonMeansNoAuthorityAtOnce) {
  ASSERT_GT(Settle(), 0.5);
  input_.human_u = {};
  u_ = Blend(model_, input_, &data_);
  EXPECT_EQ(data_.authority, 0);
  EXPECT_EQ(u_, robot::Joints{});
}

TEST_F(ArbitrationTest, AnUnusablePolicyMeansThePersonAloneAtOnce) {
  ASSERT_GT(Settle(), 0.5);
  input_.policy_usable = false;
  input_.policy_u = {NAN, NAN};
  EXPECT_EQ(Blend(model_, input_, &data_), input_.human_u);
  EXPECT_EQ(data_.authority, 0);
}

TEST_F(ArbitrationTest, DisagreementLowersAuthority) {
  const double agreed = Settle();
  input_.policy_u = {-0.5, -0.5};
  EXPECT_LT(Settle(), 0.2 * agreed);
}

TEST_F(ArbitrationTest, RisesNoFasterThanItsLimit) {
  double before = 0;
  for (int k = 0; k < 200; ++k) {
    Settle(1);
    EXPECT_LE(data_.authority - before, model_.rise_per_s * model_.robot->period_s() + 1e-12);
    before = data_.authority;
  }
}

TEST_F(ArbitrationTest, AssistanceNeverJumps) {
  Random random(5);
  robot::Joints assist{};
  for (int k = 0; k < 5000; ++k) {
    if (k % 37 == 0) input_.policy_u = {random.Uniform(-0.5, 1.2), random.Uniform(-1.5, 1.5)};
    if (k % 91 == 0) belief_.belief = {random.Uniform(), random.Uniform()};
    Settle(1);
    for (int i = 0; i < 2; ++i) {
      const double step = model_.transfer_per_s * model_.robot->period_s() *
                          model_.robot->limits().command_upper[i];
      EXPECT_LE(std::abs(data_.assist[i] - assist[i]), step + 1e-12) << k;
    }
    assist = data_.assist;
  }
}

TEST_F(ArbitrationTest, DwellsBeforeItEngagesAgain) {
  Settle();
  input_.policy_usable = false;
  Settle(1);
  input_.policy_usable = true;
  int ticks = 0;
  while (data_.authority == 0 && ticks < 1000) {
    Settle(1);
    ++ticks;
  }
  EXPECT_GE(ticks * model_.robot->period_s(), model_.dwell_s - 2 * model_.robot->period_s());
}

TEST_F(ArbitrationTest, SmallTargetsDoNotEngage) {
  belief_.belief = {
      0.5 + 0.5 * (model_.confidence_threshold + 0.9 * model_.hysteresis / model_.confidence_gain),
      0};
  belief_.belief[1] = 1 - belief_.belief[0];
  EXPECT_EQ(Settle(), 0);
}

TEST_F(ArbitrationTest, ValueInterventionIsTheLeastThatIsGoodEnough) {
  model_.method = Arbitration::kValue;
  model_.agree_cosine = -0.5;
  model_.oppose_cosine = -1;
  model_.authority_cap = 1;
  belief_.belief = {1, 0};
  input_.human_u = {0.3, 1.0};   // turning away from the goal ahead
  input_.policy_u = {1.2, 0.0};  // straight to it
  double before = 1.1;
  for (double slack : {0.0, 0.25, 0.5, 1.0}) {
    model_.value_slack = slack;
    data_ = {};
    const double authority = Settle();
    EXPECT_LE(authority, before) << slack;
    before = authority;
  }
  EXPECT_EQ(before, 0);  // slack 1 never intervenes
}

TEST_F(ArbitrationTest, HindsightHelpsBeforeTheGoalIsCertain) {
  model_.method = Arbitration::kHindsight;
  goals_.p_W[0] = {6, 0.5, 0};
  goals_.p_W[1] = {6, -0.5, 0};
  belief_.belief = {0.5, 0.5};  // no confidence at all, yet both goals lie ahead
  input_.human_u = {0.3, 0.2};
  input_.policy_u = {1.2, 0.0};
  EXPECT_GT(Settle(), 0.3);
  model_.method = Arbitration::kConfidence;
  EXPECT_LT(Settle(), 0.05);
}

TEST_F(ArbitrationTest, WithoutGoalsAGoalDrivenRobotGetsNoAssistance) {
  belief_ = {};
  goals_.n = 0;
  EXPECT_EQ(Settle(), 0);
}

TEST_F(ArbitrationTest, BlendStaysInsideTheCommandLimits) {
  Random random(9);
  const robot::Limits& limits = model_.robot->limits();
  for (int k = 0; k < 2000; ++k) {
    for (int i = 0; i < 2; ++i) {
      input_.human_u[i] = random.Uniform(-5, 5);
      input_.policy_u[i] = random.Uniform(-5, 5);
    }
    Settle(1);
    for (int i = 0; i < 2; ++i) {
      EXPECT_GE(u_[i], limits.command_lower[i]);
      EXPECT_LE(u_[i], limits.command_upper[i]);
    }
  }
}

}  // namespace
}  // namespace saferl::control
