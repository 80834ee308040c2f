// The trial itself: the gate keeps its promises, the naive gates break theirs, and the count of
// threads changes nothing.
#include "saferl/registry/gate_trial.h"

#include <gtest/gtest.h>

#include <cmath>

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
