// A session's place in a rollout: what it may run, and what is counted of it.
#include "saferl/services/rollouts/seat.h"

#include <gtest/gtest.h>

#include "saferl/base/clock.h"
#include "saferl/control/tick_data.h"
#include "saferl/control/workload.h"

namespace saferl::services {
namespace {

using safety::Reason;

const SeatRollout kRollout{"arm-2-x", 2, 1};
const LeaseAnswer kTrial{.version = 2, .stable = 1, .lease_s = 5, .rollout = "arm-2-x"};
const LeaseAnswer kStable{.version = 1, .stable = 1, .rollout = "arm-2-x"};

RolloutSeat Seat(const SeatRollout& rollout = kRollout) { return {"r", "arm", "session", rollout}; }

control::Decision At(int64_t now_ns, Reason reason = Reason::kNone) {
  control::Decision decision;
  decision.input.now_ns = now_ns;
  decision.command.reason = reason;
  return decision;
}

TEST(RolloutSeat, WithoutARolloutTheAliasDecides) {
  RolloutSeat seat = Seat({});
  EXPECT_FALSE(seat.Choose(0, true).decided);
  seat.Hear(seat.Ask(0), kTrial);  // of a rollout that it does not know of
  EXPECT_FALSE(seat.Choose(1, true).decided);
  seat.Set(kRollout);
  EXPECT_TRUE(seat.Choose(2, true).decided);
  EXPECT_EQ(seat.Choose(2, true).version, 1);
}

TEST(RolloutSeat, GoesUpAtRestDownAtOnceAndUpAgainAtTheNextRest) {
  RolloutSeat seat = Seat();
  EXPECT_EQ(seat.Choose(1, false).version, 1);
  seat.Hear(seat.Ask(2), kTrial);
  EXPECT_EQ(seat.Choose(3, false).version, 1);  // it moves
  EXPECT_EQ(seat.Choose(4, true).version, 1);   // the grant came while it moved
  seat.Hear(seat.Ask(5), kTrial);
  EXPECT_EQ(seat.Choose(6, false).version, 2);
  seat.Hear(seat.Ask(7), kStable);
  EXPECT_EQ(seat.Choose(8, false).version, 1);
  seat.Hear(seat.Ask(9), kTrial);
  EXPECT_EQ(seat.Choose(10, false).version, 1);  // moving: not up again
}

TEST(RolloutSeat, AnEndedLeaseIsTheStableVersion) {
  RolloutSeat seat = Seat();
  seat.Hear(seat.Ask(0), kTrial);
  EXPECT_EQ(seat.Choose(5 * kNanosPerSecond - 1, false).version, 2);
  EXPECT_EQ(seat.Choose(5 * kNanosPerSecond, false).version, 1);
}

TEST(RolloutSeat, AnotherRolloutHasNoPartInTheLeaseOfTheOneBefore) {
  RolloutSeat seat = Seat();
  seat.Hear(seat.Ask(0), kTrial);
  seat.Set({"arm-3-y", 3, 1});
  EXPECT_EQ(seat.Choose(1, true).version, 1);
  seat.Hear(seat.Ask(2), kTrial);  // an answer about the old one
  EXPECT_EQ(seat.Choose(3, true).version, 1);
  seat.Set({});
  EXPECT_FALSE(seat.Choose(4, true).decided);
}

TEST(RolloutSeat, CountsTimeAndEventsByTheVersionThatRan) {
  RolloutSeat seat = Seat();
  int64_t now = kNanosPerSecond;
  const auto tick = [&](int64_t version, Reason reason, int64_t passed = kNanosPerSecond / 10) {
    seat.Count(version, {}, At(now += passed, reason));
  };
  tick(1, Reason::kNone);
  for (int i = 0; i < 3; ++i) tick(1, Reason::kTickLate);  // one, that lasts
  tick(1, Reason::kNone);
  tick(1, Reason::kTickLate);  // and goes on
  for (int i = 0; i < 9; ++i) tick(1, Reason::kNone);
  tick(1, Reason::kTickLate);  // another
  tick(2, Reason::kConstraintViolated);
  tick(2, Reason::kNone, 5 * kNanosPerSecond);  // a gap: nobody knows
  tick(7, Reason::kConstraintViolated);         // a version that is no part of it
  const RolloutSeat::Counts counts = seat.Take();
  EXPECT_EQ(counts.stable.bad, (BadCounts{0, 0, 0, 2, 0}));
  EXPECT_NEAR(counts.stable.seconds, 1.5, 1e-9);
  EXPECT_EQ(counts.canary.bad, (BadCounts{1, 0, 0, 0, 0}));
  EXPECT_NEAR(counts.canary.seconds, 0.1, 1e-9);
  EXPECT_EQ(seat.Take().stable.seconds, 0);
}

/// Bad ticks of one kind, 20 ms each, where `bad(tick)` says so.
template <class F>
int64_t Events(BadKind kind, int ticks, const F& bad) {
  constexpr int64_t kTick_ns = kNanosPerSecond / 50;
  ArmCounter counter;
  for (int i = 0; i < ticks; ++i) {
    std::array<bool, kBadKinds> now{};
    now[static_cast<size_t>(kind)] = bad(i);
    counter.Count(now, (i + 1) * kTick_ns, Seconds(kTick_ns));
  }
  return counter.Take().bad[static_cast<size_t>(kind)];
}

/// The mutants that these tests catch: no gap bridged (25 events of the first), no least length (a
/// blink counts), no end of a run (the version that is always bad has one event in a minute).
TEST(ArmCounter, AFlickerIsOneEventABlinkNoneAndWhatGoesOnCountsAgain) {
  const auto flicker = [](int i) { return i < 100 && i % 4 < 2; };  // 1 s of 2
  EXPECT_EQ(Events(BadKind::kIntervention, 500, flicker), 1);
  EXPECT_EQ(Events(BadKind::kDeadline, 500, flicker), 1);
  EXPECT_EQ(Events(BadKind::kRefusal, 500, flicker), 1);
  const auto blink = [](int i) { return i % 100 < 24; };  // 0.48 s, quiet for 1.5 s
  EXPECT_EQ(Events(BadKind::kIntervention, 500, blink), 0);
  EXPECT_EQ(Events(BadKind::kDeadline, 500, blink), 5);
  const auto felt = [](int i) { return i % 100 < 25; };
  EXPECT_EQ(Events(BadKind::kIntervention, 500, felt), 5);
  EXPECT_EQ(Events(BadKind::kRefusal, 500, felt), 0);
  EXPECT_EQ(Events(BadKind::kIntervention, 3000, [](int) { return true; }), 6);
}

TEST(ArmCounter, AClockThatStartsAnewIsAnotherEvent) {
  ArmCounter counter;
  counter.Count({true}, 5 * kNanosPerSecond, 0.02);
  counter.Count({true}, kNanosPerSecond, 0.02);
  EXPECT_EQ(counter.Take().bad[0], 2);
}

TEST(BadOf, SensorsAndPeopleAreNoPolicysDoing) {
  for (const Reason reason : {Reason::kHumanStale, Reason::kPeopleStale, Reason::kLidarInvalid,
                              Reason::kPersonTooFast, Reason::kEnableReleased}) {
    EXPECT_EQ(BadOf(At(0, reason), {}), (std::array<bool, kBadKinds>{})) << Name(reason);
  }
  control::Decision decision;
  decision.filter.intervened = true;
  decision.filter.reason = Reason::kFilterInfeasible;
  EXPECT_EQ(BadOf(decision, {}), (std::array<bool, kBadKinds>{}));  // the person alone
  EXPECT_EQ(BadOf(decision, {.shared = true, .changed = true}),
            (std::array<bool, kBadKinds>{false, true, true, false, false}));
  EXPECT_EQ(BadOf({}, {.refused = true}),
            (std::array<bool, kBadKinds>{false, false, false, false, true}));
  decision = {};
  decision.gate_passed = false;
  EXPECT_EQ(BadOf(decision, {}), (std::array<bool, kBadKinds>{true, false, false, false, false}));
}

/// The new version's tick runs beside the real ones and changes nothing of them.
TEST(RolloutSeat, TheShadowRunsTheNewVersionFromACopyAndCountsItsOwnTicksOnly) {
  const auto model = control::MakeBenchModel("wheelchair");
  ASSERT_TRUE(model.ok()) << model.status();
  const auto other = control::MakeBenchPolicy(model->safety->robot, 64, 7);
  ASSERT_TRUE(other.ok());
  RolloutSeat seat = Seat();
  control::Workload workload(model->safety->robot), same(model->safety->robot);
  const auto data = control::Prepare(*model), alone = control::Prepare(*model);
  const auto decision = std::make_unique<control::Decision>();
  const auto expected = std::make_unique<control::Decision>();
  LeaseAnswer shadow = kStable;
  shadow.shadow = 2;
  for (int i = 0; i < 200; ++i) {
    const control::TickInput input = workload.Next();
    if (i == 100) seat.Hear(seat.Ask(i), shadow);
    EXPECT_EQ(seat.Offer(*model, *data, input), i >= 100 && i % 2 == 0) << i;
    control::Tick(*model, input, data.get(), decision.get());
    workload.Apply(decision->command);
    seat.Count(1, *model, *decision);
    if (i % 2 == 1) seat.RunShadow(*other);  // every other tick finds the slot taken
    control::Tick(*model, same.Next(), alone.get(), expected.get());
    same.Apply(expected->command);
    ASSERT_EQ(decision->command.u, expected->command.u) << i;
  }
  const RolloutSeat::Counts counts = seat.Take();
  const double period = model->safety->robot->period_s();
  EXPECT_NEAR(counts.stable.seconds, 199 * period, 1e-6);
  EXPECT_NEAR(counts.canary.seconds, 50 * period, 1e-6);
}

}  // namespace
}  // namespace saferl::services
