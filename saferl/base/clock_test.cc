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

TEST(Clock, DifferencesOfStampsFromOutsideDoNotWrapRound) {
  EXPECT_EQ(Elapsed(3, 10), 7);
  EXPECT_EQ(Elapsed(10, 3), -7);
  EXPECT_EQ(Elapsed(INT64_MIN, 1), INT64_MAX) << "as old as can be, never young";
  EXPECT_EQ(Elapsed(INT64_MAX, -2), -INT64_MAX);
  EXPECT_EQ(Elapsed(0, INT64_MIN), -INT64_MAX) << "its magnitude is a number";
  EXPECT_EQ(Later(3, 4), 7);
  EXPECT_EQ(Later(INT64_MAX - 1, 2), INT64_MAX);
  EXPECT_EQ(Later(INT64_MIN + 1, -2), INT64_MIN);
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
