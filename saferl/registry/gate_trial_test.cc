// The trial itself: the gate keeps its promises, the naive gates break theirs, and the count of
// threads changes nothing.
#include "saferl/registry/gate_trial.h"

#include <gtest/gtest.h>

#include <cmath>

#include "saferl/base/random.h"

namespace saferl::registry {
namespace {

TEST(GateTrial, EqualPoliciesAreRolledBackByNaiveGatesOnly) {
  GateTrialOptions options;
  options.simulations = 2000;
  options.events = 1000;
  const auto tallies = RunGateTrial(options);
  EXPECT_LE(tallies[0].rejected, 7);  // 2 are allowed; 8 or more have a probability of 1e-3
  EXPECT_TRUE(std::isinf(tallies[0].median_events));
  EXPECT_GT(tallies[1].rejected, 400) << "looking again and again costs a fifth of all rollouts";
  EXPECT_GT(tallies[2].rejected, 20);
}

/// The gate's mutant: the same level, looked at after every event without the correction for it.
/// The bound of the test above catches it.
TEST(GateTrial, AFixedTestAtTheGatesLevelLookedAtAgainAndAgainBreaksTheBound) {
  constexpr double kShare = 0.1, kSigmas = 3.09;  // one-sided 1e-3
  int rejected = 0;
  for (uint64_t run = 0; run < 2000; ++run) {
    Random random(1, run);
    double canary = 0;
    for (int n = 1; n <= 1000; ++n) {
      canary += random.Chance(kShare) ? 1 : 0;
      const double expected = n * kShare;
      if (n < 50 || canary - expected <= kSigmas * std::sqrt(expected * (1 - kShare))) continue;
      ++rejected;
      break;
    }
  }
  EXPECT_GT(rejected, 7);
}

TEST(GateTrial, AThreefoldRateIsFoundWithinTwoHundredEvents) {
  GateTrialOptions options;
  options.simulations = 2000;
  options.events = 200;
  options.ratio = 3;
  const auto tallies = RunGateTrial(options);
  EXPECT_GE(tallies[0].within_200, 1980 - 14);  // 99 % less three standard errors
  EXPECT_GT(tallies[0].median_events, 40);
  EXPECT_LT(tallies[0].median_events, 120);
}

TEST(GateTrial, ThreadsChangeNothing) {
  GateTrialOptions options;
  options.simulations = 230;
  options.events = 150;
  options.ratio = 3;
  options.threads = 1;
  const auto one = RunGateTrial(options);
  options.threads = 3;
  int last = 0;
  const auto three = RunGateTrial(options, [&last](int done) { last = done; });
  EXPECT_EQ(last, 230);
  for (size_t g = 0; g < one.size(); ++g) {
    EXPECT_EQ(one[g].rejected, three[g].rejected);
    EXPECT_EQ(one[g].median_events, three[g].median_events);
  }
}

}  // namespace
}  // namespace saferl::registry
