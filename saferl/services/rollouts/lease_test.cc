// The robot's side: it is on the stable version whenever nobody can prove that it may be on
// another.
#include "saferl/services/rollouts/lease.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

constexpr int64_t kSecond = kNanosPerSecond;
const LeaseAnswer kTrial{.version = 2, .stable = 1, .lease_s = 5};
const LeaseAnswer kStable{.version = 1, .stable = 1};

TEST(RolloutLease, CountsFromTheQuestionAndEndsOnTheTick) {
  RolloutLease lease(1);
  lease.BeginEpisode("e");
  const LeaseQuestion asked = lease.Ask(10 * kSecond);
  EXPECT_EQ(lease.Version(12 * kSecond), 1);
  lease.Hear(asked, kTrial);  // the answer took 3 s
  lease.StartMoving();
  EXPECT_EQ(lease.Version(13 * kSecond), 2);
  EXPECT_EQ(lease.Version(15 * kSecond - 1), 2);
  EXPECT_EQ(lease.Version(15 * kSecond), 1);  // a mutant that counts from hearing says 2
}

TEST(RolloutLease, AnAnswerThatCameTooLateGivesNothing) {
  RolloutLease lease(1);
  lease.BeginEpisode("e");
  lease.Hear(lease.Ask(0), kTrial);
  EXPECT_EQ(lease.Version(5 * kSecond), 1);
}

TEST(RolloutLease, GoesUpOnlyBeforeItMovesAndDownAtOnce) {
  RolloutLease lease(1);
  lease.BeginEpisode("e");
  lease.StartMoving();
  lease.Hear(lease.Ask(0), kTrial);
  EXPECT_EQ(lease.Version(1), 1);
  lease.BeginEpisode("f");
  lease.Hear(lease.Ask(1), kTrial);
  lease.StartMoving();
  EXPECT_EQ(lease.Version(2), 2);
  lease.Hear(lease.Ask(2), kStable);
  EXPECT_EQ(lease.Version(3), 1);
  lease.Hear(lease.Ask(3), kTrial);  // in the same episode: no way back up
  EXPECT_EQ(lease.Version(4), 1);
}

TEST(RolloutLease, AnOlderAnswerAndOneOfAnotherEpisodeAreNotHeard) {
  RolloutLease lease(1);
  lease.BeginEpisode("e");
  const LeaseQuestion first = lease.Ask(0), second = lease.Ask(1);
  lease.Hear(second, kStable);
  lease.Hear(first, kTrial);
  EXPECT_EQ(lease.Version(2), 1);
  const LeaseQuestion third = lease.Ask(3);
  lease.BeginEpisode("f");
  lease.Hear(third, kTrial);
  EXPECT_EQ(lease.Version(4), 1);
}

TEST(RolloutLease, APromotedVersionBecomesTheStableOneBetweenEpisodes) {
  RolloutLease lease(1);
  lease.BeginEpisode("e");
  lease.StartMoving();
  lease.Hear(lease.Ask(0), {.version = 2, .stable = 2});
  EXPECT_EQ(lease.Version(1), 1);
  lease.BeginEpisode("f");
  lease.Hear(lease.Ask(2), {.version = 2, .stable = 2});
  EXPECT_EQ(lease.Version(3), 2);
}

/// Any offset, any delay of question and answer, a clock up to 1 % slow: when the registry holds
/// the lease to be over (with the controller's allowance of 1 % and a tick), the robot is back.
TEST(RolloutLease, IsOverBeforeTheRegistrySaysSoWhateverTheClocks) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> unit(0, 1);
  for (int i = 0; i < 20'000; ++i) {
    const double rate = 0.9901 + 0.03 * unit(random);
    const auto offset = static_cast<int64_t>(1e12 * (unit(random) - 0.5));
    const auto robot = [&](int64_t t) {
      return offset + static_cast<int64_t>(std::llround(rate * static_cast<double>(t)));
    };
    const auto asked = static_cast<int64_t>(1e10 * unit(random));
    const int64_t renewed = asked + static_cast<int64_t>(3e9 * unit(random));
    const int64_t over = renewed + FromSeconds(5 * 1.01);
    RolloutLease lease(1);
    lease.BeginEpisode("e");
    lease.Hear(lease.Ask(robot(asked)), kTrial);
    lease.StartMoving();
    EXPECT_EQ(lease.Version(robot(over)), 1) << "rate " << rate << " offset " << offset;
  }
}

}  // namespace
}  // namespace saferl::services
