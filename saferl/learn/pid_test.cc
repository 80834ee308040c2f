#include "gtest/gtest.h"
#include "saferl/learn/ppo_lagrangian.h"

namespace saferl::learn {
namespace {

TEST(PidMultiplier, RisesWhileTheCostIsAboveItsLimitAndFallsBackToZeroBelow) {
  const PidConfig config;
  PidMultiplier multiplier;
  double before = 0;
  for (int i = 0; i < 50; ++i) {
    const double price = multiplier.Update(config, 3.0, 1.0);
    EXPECT_GE(price, before);
    before = price;
  }
  EXPECT_GT(before, 50 * config.ki * 1.9);
  for (int i = 0; i < 200; ++i) multiplier.Update(config, 0.0, 1.0);
  EXPECT_EQ(multiplier.price(), 0.0);
}

TEST(PidMultiplier, ZeroLimitAndHugeCostsStayWithinTheLargestPrice) {
  const PidConfig config;
  PidMultiplier multiplier;
  for (int i = 0; i < 1000; ++i) {
    const double price = multiplier.Update(config, 1e9, 0.0);
    ASSERT_GE(price, 0);
    ASSERT_LE(price, config.max_price);
  }
}

TEST(PidMultiplier, RisingCostsArePricedBeforeTheyCrossTheLimit) {
  PidConfig with, without;
  without.kd = 0;
  PidMultiplier a, b;
  for (int i = 0; i < 5; ++i) {
    a.Update(with, 0.9 + 0.05 * i, 1.0);
    b.Update(without, 0.9 + 0.05 * i, 1.0);
  }
  EXPECT_GT(a.price(), b.price());
}

}  // namespace
}  // namespace saferl::learn
