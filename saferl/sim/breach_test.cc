#include "saferl/sim/breach.h"

#include <gtest/gtest.h>

namespace saferl::sim {
namespace {

constexpr int64_t kTick_ns = 20'000'000;

/// One person measured every tick at x; epsilon 5 cm, v_h 1.6 m/s.
struct Seen {
  void Tick(double x, bool stopped) {
    robot::HumanPart part;
    part.region = robot::Region::kPedestrian;
    part.capsule_W = {{x, 0, 0.2}, {x, 0, 1.5}, 0.25};
    part.stamp_ns = now += kTick_ns;
    judge.Tick({&part, 1}, stopped);
  }
  BreachJudge judge{BreachBounds{1.6, 2.0, 0.05}};
  int64_t now = 0;
};

TEST(BreachJudge, MotionWithinTheBoundsShowsNothing) {
  Seen seen;
  for (int i = 0; i < 200; ++i) seen.Tick(1.6 * 0.02 * i + (i % 2 == 0 ? 0.05 : -0.05), false);
  EXPECT_EQ(seen.judge.Count().breaches, 0);
}

TEST(BreachJudge, AStopInTheSameOrTheNextTickIsAnAnswer) {
  for (int delay = 0; delay <= 3; ++delay) {
    Seen seen;
    for (int i = 0; i < 10; ++i) seen.Tick(0, false);
    for (int i = 0; i < 10; ++i) seen.Tick(0.5, i >= delay);
    for (int i = 0; i < 60; ++i) seen.Tick(0.5, true);
    const BreachCount count = seen.judge.Count();
    EXPECT_EQ(count.breaches, 1) << delay;
    EXPECT_EQ(count.answered, delay <= 1 ? 1 : 0) << delay;
    EXPECT_EQ(count.worst_delay_ticks, delay);
  }
}

TEST(BreachJudge, ABreachWithoutAStopIsUnanswered) {
  Seen seen;
  seen.Tick(0, false);
  seen.Tick(0.5, false);  // the last tick: nobody stopped
  EXPECT_EQ(seen.judge.Count().breaches, 1);
  EXPECT_EQ(seen.judge.Count().answered, 0);
}

TEST(BreachJudge, GoingOnBeforeItIsOverIsUnanswered) {
  Seen seen;
  for (int i = 0; i < 10; ++i) seen.Tick(0, false);
  seen.Tick(0.5, true);
  for (int i = 0; i < 3; ++i) seen.Tick(0.5, false);  // still shown by the older ones
  for (int i = 0; i < 60; ++i) seen.Tick(0.5, true);
  EXPECT_EQ(seen.judge.Count().breaches, 1);
  EXPECT_EQ(seen.judge.Count().answered, 0);
  EXPECT_EQ(seen.judge.Count().worst_delay_ticks, 3);
}

TEST(BreachJudge, BreachesApartAreCountedApart) {
  Seen seen;
  for (int i = 0; i < 10; ++i) seen.Tick(0, false);
  for (int i = 0; i < 60; ++i) seen.Tick(0.5, true);
  for (int i = 0; i < 60; ++i) seen.Tick(0, true);
  EXPECT_EQ(seen.judge.Count().breaches, 2);
  EXPECT_EQ(seen.judge.Count().answered, 2);
}

}  // namespace
}  // namespace saferl::sim
