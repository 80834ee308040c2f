#include "saferl/sim/seen_people.h"

#include <gtest/gtest.h>

#include "saferl/robot/human.h"

namespace saferl::sim {
namespace {

constexpr int64_t kTick_ns = 20'000'000;
constexpr Box kBody{0, 0, 0, 0.5, 0.32};  // looks along +x

/// Watches one walker from `from`, for `ticks` ticks.
SeenPeople After(Point from, Point velocity, int ticks) {
  SeenPeople people;
  for (int k = 0; k < ticks; ++k) {
    const Point p = from + (0.02 * k) * velocity;
    const std::array<robot::HumanPart, 1> parts = {robot::Pedestrian(p.x, p.y, 0, 1, 0.25)};
    people.Watch(1'000'000'000 + k * kTick_ns, parts, kBody);
  }
  return people;
}

TEST(SeenPeople, GapsAreMeasuredBeforeAndBehind) {
  const SeenPeople ahead = After({1.5, 0}, {}, 1), behind = After({-1.5, 0}, {}, 1);
  EXPECT_NEAR(ahead.ahead_m(), 0.75, 1e-9);
  EXPECT_GT(ahead.behind_m(), 1e6);
  EXPECT_NEAR(behind.behind_m(), 0.75, 1e-9);
  EXPECT_NEAR(behind.nearest_m(), 0.75, 1e-9);
  EXPECT_GT(SeenPeople().nearest_m(), -1e-9);
}

TEST(SeenPeople, SpareLooksWhereAWalkerWillBe) {
  const SeenPeople people = After({3, 0}, {-1, 0}, 50);  // now at x = 2.02
  EXPECT_NEAR(people.Spare(kBody, 0, 0.4), 2.02 - 0.5 - 0.25 - 0.4, 0.01);
  EXPECT_NEAR(people.Spare(kBody, 1, 0.4), 1.02 - 0.5 - 0.25 - 0.4, 0.05);
}

TEST(SeenPeople, WhoeverIsNearerAlreadyMayStayAsNear) {
  const SeenPeople people = After({0.85, 0}, {}, 5);
  EXPECT_GE(people.Spare(kBody, 1, 0.4), 0);
  const Box nearer{0.05, 0, 0, 0.5, 0.32};
  EXPECT_LT(people.Spare(nearer, 1, 0.4), 0);
}

TEST(SeenPeople, OnlyWhoComesCloserHasABodyInTheWay) {
  EXPECT_GT(After({3, 0}, {-1, 0}, 50).InTheWay(kBody, 0.3), 0.3);
  EXPECT_EQ(After({3, 0}, {1, 0}, 50).InTheWay(kBody, 0.3), 0);   // walks away
  EXPECT_EQ(After({3, 2}, {-1, 0}, 50).InTheWay(kBody, 0.3), 0);  // passes beside
  EXPECT_EQ(After({3, 0}, {}, 50).InTheWay(kBody, 0.3), 0);       // stands
}

TEST(SeenPeople, StandingIsSeenAfterAWhileAndEndsWithAStep) {
  EXPECT_TRUE(After({2, 0}, {}, 10).standing().empty());
  EXPECT_EQ(After({2, 0}, {}, 40).standing().size(), 1U);
  EXPECT_TRUE(After({3, 0}, {-1, 0}, 40).standing().empty());
}

}  // namespace
}  // namespace saferl::sim
