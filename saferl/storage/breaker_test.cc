#include "saferl/storage/breaker.h"

#include <gtest/gtest.h>

namespace saferl::storage {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

TEST(Breaker, ClosedLetsAllThrough) {
  Breaker breaker({}, 1);
  EXPECT_TRUE(breaker.Allow(0));
  EXPECT_TRUE(breaker.Allow(0));
  EXPECT_FALSE(breaker.open());
}

TEST(Breaker, OpenLetsOneProbeThroughAfterAWaitThatGrows) {
  Breaker breaker({.first_s = 1, .most_s = 8}, 1);
  int64_t now = 0;
  double expected = 1;
  for (int i = 0; i < 6; ++i) {
    breaker.Failed(now);
    EXPECT_TRUE(breaker.open());
    // Jitter: between half of the wait and all of it.
    EXPECT_FALSE(breaker.Allow(now + static_cast<int64_t>(expected * 0.5e9) - 1));
    now += static_cast<int64_t>(expected * 1e9);
    EXPECT_TRUE(breaker.Allow(now));
    EXPECT_FALSE(breaker.Allow(now)) << "two probes at once";
    expected = std::min(8.0, expected * 2);
  }
  breaker.Worked();
  EXPECT_TRUE(breaker.Allow(now));
  EXPECT_TRUE(breaker.Allow(now));
}

TEST(Breaker, AProbeThatNeverReportsIsReplaced) {
  Breaker breaker({.first_s = 1, .most_s = 1}, 1);
  breaker.Failed(0);
  EXPECT_TRUE(breaker.Allow(kSecond));
  EXPECT_FALSE(breaker.Allow(kSecond));
  EXPECT_TRUE(breaker.Allow(2 * kSecond));
}

TEST(Breaker, WaitsDifferFromOneToTheNext) {
  int free_at_three_quarters = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Breaker breaker({.first_s = 1, .most_s = 1}, seed);
    breaker.Failed(0);
    free_at_three_quarters += breaker.Allow(kSecond * 3 / 4) ? 1 : 0;
  }
  EXPECT_GT(free_at_three_quarters, 60);
  EXPECT_LT(free_at_three_quarters, 140);
}

}  // namespace
}  // namespace saferl::storage
