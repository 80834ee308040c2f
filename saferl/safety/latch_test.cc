#include "saferl/safety/latch.h"

#include <gtest/gtest.h>

#include <vector>

#include "saferl/base/random.h"

namespace saferl::safety {
namespace {

constexpr int64_t kTick = 20'000'000;

struct Ladder {
  LatchModel model{.dwell_ns = 5 * kTick};
  LatchData data;
  int64_t now = 0;

  Mode Step(std::vector<Reason> reasons, bool at_rest, bool acknowledge) {
    LatchInput input;
    input.now_ns = now += kTick;
    for (Reason r : reasons) input.reasons.Add(r);
    input.at_rest = at_rest;
    input.acknowledge = acknowledge;
    return UpdateLatch(model, input, &data);
  }
};

TEST(ReasonSet, WorstIsTheMostSevere) {
  ReasonSet set;
  EXPECT_TRUE(set.empty());
  EXPECT_EQ(set.Worst(), Reason::kNone);
  set.Add(Reason::kNone);
  EXPECT_TRUE(set.empty());
  set.Add(Reason::kFilterInfeasible);
  EXPECT_EQ(set.Worst(), Reason::kFilterInfeasible);
  set.Add(Reason::kHumanStale);
  set.Add(Reason::kLidarStale);
  EXPECT_EQ(set.Worst(), Reason::kLidarStale);
  set.Add(Reason::kStateStale);
  EXPECT_EQ(set.Worst(), Reason::kStateStale);  // same mode: the first of the enum
  ReasonSet other;
  other.Add(Reason::kStopRequested);
  set.Add(other);
  EXPECT_EQ(set.Worst(), Reason::kStopRequested);
  EXPECT_TRUE(set.Has(Reason::kHumanStale));
  EXPECT_FALSE(set.Has(Reason::kBrakeFade));
}

// All states (mode x how long healthy x button before) against all events (worst reason x rest x
// acknowledge).
TEST(Latch, EveryStateAndEventObeysTheLadder) {
  const LatchModel model{.dwell_ns = 5 * kTick};
  int visited = 0;
  for (int m = 0; m <= 4; ++m) {
    for (int before = 0; before < 2; ++before) {
      for (int healthy_ticks = -1; healthy_ticks <= 6; ++healthy_ticks) {
        for (int r = 0; r < static_cast<int>(Reason::kCount); ++r) {
          for (int event = 0; event < 4; ++event, ++visited) {
            LatchData data;
            data.mode = static_cast<Mode>(m);
            data.reason = m == 0 ? Reason::kNone : Reason::kTickLate;
            data.healthy = healthy_ticks >= 0;
            data.healthy_since_ns = 100 * kTick - std::max(0, healthy_ticks) * kTick;
            data.acknowledge_before = before == 1;
            LatchInput input;
            input.now_ns = 100 * kTick;
            input.reasons.Add(static_cast<Reason>(r));
            input.at_rest = (event & 1) != 0;
            input.acknowledge = (event & 2) != 0;
            const Mode demanded = DemandedMode(static_cast<Reason>(r));
            const Mode after = UpdateLatch(model, input, &data);
            ASSERT_GE(after, demanded);
            ASSERT_TRUE(after == demanded || after == static_cast<Mode>(m));
            const bool clean = input.at_rest && demanded < Mode::kControlledStop;
            if (m == 4 && after < Mode::kProtectiveStop) {
              ASSERT_TRUE(clean && input.acknowledge && before == 0);
            }
            if (m == 3 && after < Mode::kControlledStop) {
              ASSERT_TRUE(clean && healthy_ticks >= 5);
            }
            if (m <= 2) {
              ASSERT_EQ(after, demanded);
            }
            if (after > Mode::kNominal) {
              ASSERT_NE(data.reason, Reason::kNone);
            }
            if (demanded == Mode::kProtectiveStop) {
              ASSERT_EQ(after, Mode::kProtectiveStop);
            }
          }
        }
      }
    }
  }
  EXPECT_EQ(visited, 5 * 2 * 8 * static_cast<int>(Reason::kCount) * 4);
}

TEST(Latch, ProtectiveStopNeedsAFreshAcknowledgementAtRest) {
  Ladder l;
  EXPECT_EQ(l.Step({Reason::kStopRequested}, false, true), Mode::kProtectiveStop);
  EXPECT_EQ(l.Step({}, false, true),
            Mode::kProtectiveStop);  // moving, and the button was held before
  EXPECT_EQ(l.Step({}, true, true), Mode::kProtectiveStop);   // still held
  EXPECT_EQ(l.Step({}, true, false), Mode::kProtectiveStop);  // at rest is not enough
  EXPECT_EQ(l.Step({Reason::kLidarStale}, true, true), Mode::kProtectiveStop);  // not healthy
  EXPECT_EQ(l.Step({}, true, false), Mode::kProtectiveStop);
  EXPECT_EQ(l.Step({}, true, true), Mode::kNominal);
  EXPECT_EQ(l.data.reason, Reason::kNone);
}

TEST(Latch, StopWinsOverAcknowledgeInTheSameTick) {
  Ladder l;
  l.Step({Reason::kStopRequested}, true, false);
  EXPECT_EQ(l.Step({Reason::kStopRequested}, true, true), Mode::kProtectiveStop);
}

TEST(Latch, ControlledStopClearsAfterTheDwell) {
  Ladder l;
  EXPECT_EQ(l.Step({Reason::kLidarStale}, false, false), Mode::kControlledStop);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(l.Step({}, true, false), Mode::kControlledStop);
  EXPECT_EQ(l.Step({Reason::kLidarStale}, true, false), Mode::kControlledStop);  // starts again
  for (int i = 0; i < 5; ++i) EXPECT_EQ(l.Step({}, true, false), Mode::kControlledStop) << i;
  EXPECT_EQ(l.Step({}, true, false), Mode::kNominal);
}

TEST(Latch, ControlledStopClearsIntoWhatIsStillDemanded) {
  Ladder l;
  l.Step({Reason::kLidarStale}, true, false);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(l.Step({Reason::kHumanStale}, true, false), Mode::kControlledStop);
  EXPECT_EQ(l.Step({Reason::kHumanStale}, true, false), Mode::kHold);
  EXPECT_EQ(l.Step({}, true, false), Mode::kNominal);
}

TEST(Latch, AClockThatRunsBackwardDoesNotShortenTheDwell) {
  Ladder l;
  l.Step({Reason::kLidarStale}, true, false);
  l.Step({}, true, false);
  l.now = -1'000 * kTick;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(l.Step({}, true, false), Mode::kControlledStop) << i;
}

TEST(Latch, RandomHistoriesNeverLowerAProtectiveStopByThemselves) {
  Random random(7);
  Ladder l;
  for (int i = 0; i < 100'000; ++i) {
    std::vector<Reason> reasons;
    if (random.Chance(0.1))
      reasons.push_back(static_cast<Reason>(random.Index(static_cast<int>(Reason::kCount))));
    const bool rest = random.Chance(0.7), acknowledge = random.Chance(0.2);
    const Mode before = l.data.mode;
    const Mode after = l.Step(reasons, rest, acknowledge);
    if (before == Mode::kProtectiveStop && !acknowledge) {
      ASSERT_EQ(after, Mode::kProtectiveStop);
    }
    if (!rest && before >= Mode::kControlledStop) {
      ASSERT_GE(after, before);
    }
  }
}

}  // namespace
}  // namespace saferl::safety
