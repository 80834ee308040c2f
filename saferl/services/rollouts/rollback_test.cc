// A rollback at the robot: from the moment its session points to the stable version to the first
// tick that runs it, in ticks, while the robot moves. docs/rollouts.md: within one tick.
#include <gtest/gtest.h>

#include <algorithm>

#include "saferl/services/testing/rollback_drive.h"

namespace saferl::services {
namespace {

constexpr int kTimes = 50;

/// The most ticks of `kTimes` rollbacks.
int64_t MostTicks(RollbackDrive* drive, const RollbackDrive::Flip& flip, int times = kTimes,
                  double lease_s = 60) {
  int64_t most = -1;
  for (int i = 0; i < times; ++i) {
    const auto taken = drive->TakeBack(flip, lease_s);
    EXPECT_TRUE(taken.ok()) << taken.status();
    if (!taken.ok()) return INT64_MAX;
    most = std::max(most, taken->ticks);
  }
  return most;
}

class RollbackTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const Status started = drive_.Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  RollbackDrive drive_;
};

TEST_F(RollbackTest, TheGatesVerdictIsFollowedWithinATickOfAMovingRobot) {
  EXPECT_LE(MostTicks(&drive_, [](RolloutSeat* seat) { RollbackDrive::Grant(seat, 0); }), 1);
}

TEST_F(RollbackTest, SoIsAnotherRollout) {
  const SeatRollout now{"chair-2-x", RollbackDrive::kNew, RollbackDrive::kStable};
  const SeatRollout other{"chair-3-y", 3, RollbackDrive::kStable};
  EXPECT_LE(MostTicks(&drive_,
                      [&](RolloutSeat* seat) {
                        seat->Set(other);
                        seat->Set(now);
                      }),
            1);
}

/// The mutant that lets a robot that moves go on until its lease ends: the answer is not heard.
TEST_F(RollbackTest, AMutantThatWaitsForTheLeasesEndIsSeen) {
  constexpr double kLease_s = 0.2;
  const auto deaf = [](RolloutSeat* seat) {
    const LeaseQuestion old = seat->Ask(Nanos());
    RollbackDrive::Grant(seat, kLease_s);       // a newer question is answered first
    seat->Hear(old, RollbackDrive::Answer(0));  // so that this answer is none
  };
  EXPECT_GT(MostTicks(&drive_, deaf, 3, kLease_s), 1);
}

}  // namespace
}  // namespace saferl::services
