#include "saferl/base/clock.h"

#include <gtest/gtest.h>

namespace saferl {
namespace {

TEST(Clock, NeverRunsBackward) {
  int64_t last = Nanos();
  for (int i = 0; i < 10'000; ++i) {
    const int64_t now = Nanos();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(Clock, WallClockLiesAfter2020) { EXPECT_GT(WallNanos(), 1'577'836'800LL * kNanosPerSecond); }

TEST(Clock, SecondsRoundTrip) {
  EXPECT_EQ(FromSeconds(0.001), 1'000'000);
  EXPECT_EQ(FromSeconds(-0.001), -1'000'000);
  EXPECT_DOUBLE_EQ(Seconds(1'500'000'000), 1.5);
}

TEST(Deadline, PassesExactlyAtItsTime) {
  const Deadline deadline = Deadline::At(100);
  EXPECT_FALSE(deadline.Passed(99));
  EXPECT_TRUE(deadline.Passed(100));
  EXPECT_EQ(deadline.Left(40), 60);
  EXPECT_EQ(deadline.Left(140), 0);
  EXPECT_FALSE(Deadline::Never().Passed());
  EXPECT_TRUE(Deadline::After(-1).Passed());
}

}  // namespace
}  // namespace saferl
