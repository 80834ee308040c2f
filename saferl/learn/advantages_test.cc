#include "saferl/learn/advantages.h"

#include <array>

#include "gtest/gtest.h"
#include "saferl/base/random.h"

namespace saferl::learn {
namespace {

Batch MakeBatch(int steps) {
  Batch batch;
  batch.n_envs = 1;
  batch.steps = steps;
  batch.n_costs = 0;
  batch.outcome.assign(steps, 0);
  batch.value.assign(steps, 0);
  batch.advantage.assign(steps, 0);
  batch.target.assign(steps, 0);
  batch.end.assign(steps, 0);
  batch.final_row.assign(steps, -1);
  return batch;
}

TEST(GeneralisedAdvantage, TerminatedStepsHaveNoFutureAndTruncatedOnesKeepTheirs) {
  constexpr double kGamma = 0.9;
  Batch batch = MakeBatch(3);
  batch.outcome = {1, 2, 4};
  batch.value = {10, 20, 30};
  batch.end = {1, 2, 0};
  batch.final_row = {-1, 0, 1};
  const std::array<float, 2> final_value = {50, 70};
  GeneralisedAdvantage(kGamma, 0.95, 0, final_value, &batch);
  EXPECT_NEAR(batch.advantage[0], 1 - 10, 1e-5);
  EXPECT_NEAR(batch.advantage[1], 2 + kGamma * 50 - 20, 1e-5);
  EXPECT_NEAR(batch.advantage[2], 4 + kGamma * 70 - 30, 1e-5);
  EXPECT_NEAR(batch.target[1], 2 + kGamma * 50, 1e-5);
}

TEST(GeneralisedAdvantage, WithLambdaOneTheTargetIsTheDiscountedReturn) {
  constexpr double kGamma = 0.97;
  constexpr int kSteps = 20;
  Random random(1);
  Batch batch = MakeBatch(kSteps);
  for (int t = 0; t < kSteps; ++t) {
    batch.outcome[t] = static_cast<float>(random.Normal());
    batch.value[t] = static_cast<float>(random.Normal());
  }
  batch.end[7] = 1;
  batch.final_row[kSteps - 1] = 0;
  const std::array<float, 1> final_value = {3};
  GeneralisedAdvantage(kGamma, 1.0, 0, final_value, &batch);
  double expected = 3;
  for (int t = kSteps - 1; t >= 0; --t) {
    expected = batch.outcome[t] + kGamma * (t == 7 ? 0.0 : expected);
    EXPECT_NEAR(batch.target[t], expected, 1e-5) << t;
  }
}

}  // namespace
}  // namespace saferl::learn
