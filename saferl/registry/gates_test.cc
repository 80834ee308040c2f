#include "saferl/registry/gates.h"

#include <gtest/gtest.h>

#include <cmath>

#include "saferl/base/random.h"

namespace saferl::registry {
namespace {

TEST(Gates, TheBinomialTailIsExact) {
  EXPECT_DOUBLE_EQ(BinomialTail(10, 0, 0.3), 1.0);
  EXPECT_DOUBLE_EQ(BinomialTail(10, 11, 0.3), 0.0);
  EXPECT_NEAR(BinomialTail(3, 2, 0.5), 0.5, 1e-12);
  EXPECT_NEAR(BinomialTail(10, 10, 0.5), 1.0 / 1024, 1e-15);
  EXPECT_NEAR(BinomialTail(5, 4, 0.1), 5 * 1e-4 * 0.9 + 1e-5, 1e-12);
}

TEST(Gates, NoEventsBoundTheRateByThreeOverExposure) {
  EXPECT_NEAR(RateUpperBound(0, 1000, 0.95), 2.9957 / 1000, 1e-6);
  EXPECT_NEAR(RateUpperBound(1, 1, 0.95), 4.7439, 1e-3);
  EXPECT_NEAR(RateUpperBound(10, 1, 0.95), 16.962, 1e-2);
  EXPECT_TRUE(std::isinf(RateUpperBound(0, 0, 0.95)));
}

/// The wealth is a fair bet: its mean over both outcomes, weighted by the null, is what it was.
TEST(RateGate, EachBetIsFairUnderEqualRatesAlsoWhenTheShareChanges) {
  Random random(3);
  for (int trial = 0; trial < 200; ++trial) {
    RateGate gate;
    const int steps = random.Index(250);
    for (int i = 0; i < steps; ++i) gate.Event(random.Chance(0.15), random.Uniform(0.05, 0.3));
    const double w = random.Uniform(0.02, 0.6);
    RateGate canary = gate, stable = gate;
    canary.Event(true, w);
    stable.Event(false, w);
    const double mean = w * std::exp(canary.log_e()) + (1 - w) * std::exp(stable.log_e());
    EXPECT_NEAR(mean / std::exp(gate.log_e()), 1.0, 1e-9);
  }
}

/// What is counted together is what one by one would have given, the canary's last.
TEST(RateGate, ManyAtOnceAreTheSameAsOneByOne) {
  Random random(9);
  for (int trial = 0; trial < 100; ++trial) {
    RateGate one, many;
    for (int stretch = 0; stretch < 8; ++stretch) {
      const double share = 0.2;
      const int canary = random.Index(15), stable = random.Index(60);
      for (int i = 0; i < stable; ++i) one.Event(false, share);
      for (int i = 0; i < canary; ++i) one.Event(true, share);
      many.Events(canary, stable, share);
      EXPECT_NEAR(many.log_e(), one.log_e(), 1e-6 * (1 + std::abs(one.log_e())));
      EXPECT_NEAR(many.log_e_fine(), one.log_e_fine(), 1e-6 * (1 + std::abs(one.log_e_fine())));
      EXPECT_EQ(many.events(), one.events());
      EXPECT_EQ(many.canary_events(), one.canary_events());
      EXPECT_TRUE(one.rejects() || !many.rejects());
    }
  }
}

TEST(RateGate, NothingIsNoBet) {
  RateGate gate;
  gate.Events(0, 0, 0.1);
  gate.Events(5, 0, 0);
  gate.Events(5, 0, 1);
  gate.Events(-1, 2, 0.1);
  EXPECT_EQ(gate.events(), 0);
  EXPECT_FALSE(gate.rejects());
}

struct Tally {
  int rejected = 0, within_horizon = 0;
};

Tally Simulate(double share, double ratio, int runs, int events, uint64_t seed) {
  Tally tally;
  const double p = share * ratio / (share * ratio + 1 - share);
  for (int run = 0; run < runs; ++run) {
    Random random(seed, static_cast<uint64_t>(run));
    RateGate gate;
    for (int i = 0; i < events && !gate.rejects(); ++i) gate.Event(random.Chance(p), share);
    tally.rejected += gate.rejects();
    tally.within_horizon += gate.rejects() && gate.events() <= 200;
  }
  return tally;
}

TEST(RateGate, EqualPoliciesAreRejectedInLessThanOneRunOfAThousand) {
  const Tally tally = Simulate(0.1, 1.0, 3000, 600, 5);
  // At most 3 are expected; 10 of 3000 would be seen with probability 1e-3.
  EXPECT_LE(tally.rejected, 9);
}

TEST(RateGate, APolicyThreeTimesWorseIsRejectedWithinTwoHundredEvents) {
  const Tally tally = Simulate(0.1, 3.0, 2000, 200, 6);
  EXPECT_GE(tally.within_horizon, 1980 - 14);  // 99 % less three standard errors
}

TEST(RateGate, APolicyWorseByHalfIsFoundGivenTime) {
  EXPECT_GE(Simulate(0.5, 1.5, 200, 3000, 7).rejected, 195);
}

TEST(RateGate, GoodPoliciesAreAcceptedAndBadOnesNot) {
  int accepted_good = 0, accepted_bad = 0;
  for (uint64_t run = 0; run < 400; ++run) {
    Random random(11, run);
    RateGate good, bad;
    const double doubled = 0.1 * 2 / (0.1 * 2 + 0.9);
    bool ever = false;
    for (int i = 0; i < 600; ++i) {
      good.Event(random.Chance(0.1), 0.1);
      bad.Event(random.Chance(doubled), 0.1);
      ever = ever || bad.accepts();
    }
    accepted_good += good.accepts();
    accepted_bad += ever;
  }
  EXPECT_GE(accepted_good, 380);
  EXPECT_LE(accepted_bad, 32);  // 5 % of 400 and three standard errors
}

TEST(RateGate, SharesThatMakeNoBetChangeNothing) {
  RateGate gate;
  for (const double share : {0.0, 1.0, -1.0, 2.0, std::nan("")}) gate.Event(true, share);
  EXPECT_EQ(gate.events(), 0);
  EXPECT_NEAR(gate.log_e(), 0, 1e-12);
}

TEST(ShareGate, RejectsAboveTheLimitAcceptsBelowAndIsFair) {
  int rejected_at_limit = 0;
  for (uint64_t run = 0; run < 2000; ++run) {
    Random random(21, run);
    ShareGate gate({.limit = 0.05});
    for (int i = 0; i < 2000 && !gate.rejects(); ++i) gate.Add(random.Chance(0.05));
    rejected_at_limit += gate.rejects();
  }
  EXPECT_LE(rejected_at_limit, 7);
  Random random(22);
  ShareGate bad({.limit = 0.05}), good({.limit = 0.05});
  for (int i = 0; i < 2000; ++i) {
    bad.Add(random.Chance(0.10));
    good.Add(random.Chance(0.01));
  }
  EXPECT_TRUE(bad.rejects());
  EXPECT_FALSE(bad.accepts());
  EXPECT_TRUE(good.accepts());
}

}  // namespace
}  // namespace saferl::registry
