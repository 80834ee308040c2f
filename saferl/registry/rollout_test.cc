#include "saferl/registry/rollout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "saferl/base/text.h"

namespace saferl::registry {
namespace {

constexpr int kEvents = static_cast<int>(RolloutEvent::kCount);

std::vector<RolloutPlan> Plans() {
  std::vector<RolloutPlan> plans;
  for (int s = 0; s < static_cast<int>(Strategy::kCount); ++s) {
    for (int approvals = 0; approvals <= 2; ++approvals) {
      for (const bool shadow : {false, true}) {
        RolloutPlan plan = PlanFor(static_cast<Strategy>(s));
        plan.approvals = approvals;
        plan.shadow_first = shadow;
        plans.push_back(plan);
      }
    }
  }
  return plans;
}

using Key = std::tuple<Phase, Phase, bool, int, int, bool>;
Key Of(const RolloutState& s) {
  return {s.phase, s.held, s.held_by_operator, s.step, std::min(s.approved, 3), s.quarantined};
}

/// Every state that any order of events can reach.
std::vector<RolloutState> Reachable(const RolloutPlan& plan) {
  std::map<Key, RolloutState> seen;
  std::queue<RolloutState> open;
  open.push({});
  seen[Of({})] = {};
  while (!open.empty()) {
    const RolloutState state = open.front();
    open.pop();
    for (int e = 0; e < kEvents; ++e) {
      RolloutState next = Next(plan, state, static_cast<RolloutEvent>(e));
      next.approved = std::min(next.approved, 3);  // more change nothing
      if (seen.emplace(Of(next), next).second) open.push(next);
    }
  }
  std::vector<RolloutState> all;
  for (const auto& [key, state] : seen) all.push_back(state);
  return all;
}

/// Runs `check(plan, state, event, next)` for every state of every plan and every event.
template <class Check>
void ForAll(const Check& check) {
  int64_t transitions = 0;
  for (const RolloutPlan& plan : Plans()) {
    for (const RolloutState& state : Reachable(plan)) {
      for (int e = 0; e < kEvents; ++e) {
        const auto event = static_cast<RolloutEvent>(e);
        SCOPED_TRACE(Cat(Name(plan.strategy), " ", Name(state.phase), "/", Name(state.held),
                         " step ", state.step, " on ", Name(event)));
        check(plan, state, event, Next(plan, state, event));
        ++transitions;
      }
    }
  }
  EXPECT_GT(transitions, 2000);
}

TEST(Rollout, TheShareGrowsOnlyByAcceptanceApprovalOrTheEndOfAHold) {
  ForAll([](const RolloutPlan& plan, const RolloutState& s, RolloutEvent e, const RolloutState& n) {
    const double before = CanaryShare(plan, s), after = CanaryShare(plan, n);
    if (after <= before) return;
    EXPECT_TRUE(e == RolloutEvent::kAccept || e == RolloutEvent::kApprove ||
                (e == RolloutEvent::kStart && !plan.shadow_first && plan.approvals <= s.approved));
    if (e != RolloutEvent::kAccept) return;
    // One step at a time.
    const auto at = std::find(plan.steps.begin(), plan.steps.end(), after);
    ASSERT_NE(at, plan.steps.end());
    EXPECT_EQ(before, at == plan.steps.begin() ? 0.0 : *(at - 1));
  });
}

TEST(Rollout, AbortAndRejectionAlwaysLeadBackFromWhereRobotsMayRunIt) {
  ForAll([](const RolloutPlan& plan, const RolloutState& s, RolloutEvent e, const RolloutState& n) {
    if (e != RolloutEvent::kAbort && e != RolloutEvent::kReject) return;
    if (IsTerminal(s.phase)) {
      EXPECT_EQ(n, s);
      return;
    }
    EXPECT_EQ(CanaryShare(plan, n), 0);
    EXPECT_TRUE(n.phase == Phase::kRollingBack || n.phase == Phase::kAborted);
    if (CanaryShare(plan, s) > 0) {
      EXPECT_EQ(n.phase, Phase::kRollingBack);
    }
    EXPECT_TRUE(n.quarantined || e != RolloutEvent::kReject);
  });
}

TEST(Rollout, NothingLeadsFromRollingBackToAnythingButRolledBack) {
  ForAll([](const RolloutPlan& plan, const RolloutState& s, RolloutEvent e, const RolloutState& n) {
    EXPECT_TRUE(n.quarantined || !s.quarantined) << "quarantine is for ever";
    if (s.phase != Phase::kRollingBack) return;
    EXPECT_EQ(n.phase, e == RolloutEvent::kAllStable ? Phase::kRolledBack : Phase::kRollingBack);
    EXPECT_EQ(CanaryShare(plan, n), 0);
  });
}

TEST(Rollout, WithoutDataNothingAdvancesAndAHoldGivesBackExactlyWhatItFroze) {
  ForAll([](const RolloutPlan& plan, const RolloutState& s, RolloutEvent e, const RolloutState& n) {
    if (e == RolloutEvent::kDataLost && CanaryShare(plan, s) > 0 && !IsTerminal(s.phase)) {
      EXPECT_EQ(n.phase, Phase::kHold);
      EXPECT_EQ(CanaryShare(plan, n), CanaryShare(plan, s));
    }
    if (s.phase != Phase::kHold) return;
    switch (e) {
      case RolloutEvent::kAccept:
      case RolloutEvent::kStart:
      case RolloutEvent::kApprove:
      case RolloutEvent::kAllStable:
        EXPECT_EQ(n, s);
        break;
      case RolloutEvent::kDataBack:
        EXPECT_EQ(n.phase, s.held_by_operator ? Phase::kHold : s.held);
        break;
      case RolloutEvent::kResume:
        EXPECT_EQ(n.phase, s.held);
        EXPECT_EQ(CanaryShare(plan, n), CanaryShare(plan, s));
        break;
      case RolloutEvent::kHoldExpired:
        EXPECT_TRUE(n.phase == Phase::kRollingBack || n.phase == Phase::kAborted);
        break;
      default:
        break;
    }
  });
}

TEST(Rollout, NobodyIsExposedWithoutTheApprovalsThatThePlanAsksFor) {
  ForAll([](const RolloutPlan& plan, const RolloutState& s, RolloutEvent, const RolloutState& n) {
    if (CanaryShare(plan, s) == 0 && CanaryShare(plan, n) > 0) {
      EXPECT_GE(n.approved, plan.approvals);
    }
    EXPECT_TRUE(plan.strategy != Strategy::kShadow || CanaryShare(plan, n) == 0);
  });
}

TEST(Rollout, TerminalPhasesStay) {
  ForAll([](const RolloutPlan&, const RolloutState& s, RolloutEvent, const RolloutState& n) {
    EXPECT_TRUE(!IsTerminal(s.phase) || n == s);
  });
}

TEST(Rollout, EveryPhaseIsReachedAndEveryPlanCanEnd) {
  std::set<Phase> seen;
  for (const RolloutPlan& plan : Plans()) {
    bool ends = false;
    for (const RolloutState& state : Reachable(plan)) {
      seen.insert(state.phase);
      ends = ends || state.phase == Phase::kPromoted || state.phase == Phase::kShadowPassed;
    }
    EXPECT_TRUE(ends) << Name(plan.strategy);
  }
  EXPECT_EQ(seen.size(), static_cast<size_t>(Phase::kCount));
}

TEST(Rollout, TheUsualCanaryWalksItsStepsToPromotion) {
  const RolloutPlan plan = PlanFor(Strategy::kCanary, 0.10);
  RolloutState s;
  std::vector<double> shares;
  const auto on = [&](RolloutEvent e) {
    s = Next(plan, s, e);
    shares.push_back(CanaryShare(plan, s));
  };
  on(RolloutEvent::kStart);
  EXPECT_EQ(s.phase, Phase::kShadow);
  on(RolloutEvent::kAccept);
  EXPECT_EQ(s.phase, Phase::kAwaitApproval);
  on(RolloutEvent::kApprove);
  on(RolloutEvent::kAccept);
  on(RolloutEvent::kAccept);
  on(RolloutEvent::kAccept);
  EXPECT_EQ(s.phase, Phase::kBake);
  on(RolloutEvent::kAccept);
  EXPECT_EQ(s.phase, Phase::kPromoted);
  EXPECT_THAT(shares, testing::ElementsAre(0, 0, 0.10, 0.25, 0.50, 1.0, 1.0));
}

TEST(Rollout, PlansAreChecked) {
  EXPECT_TRUE(PlanFor(Strategy::kCanary).Validate().ok());
  EXPECT_TRUE(PlanFor(Strategy::kShadow).Validate().ok());
  RolloutPlan plan;
  plan.steps = {0.5, 0.1, 1};
  EXPECT_THAT(plan.Validate().ToString(), testing::HasSubstr("steps"));
  plan.steps = {0.5};
  EXPECT_FALSE(plan.Validate().ok());
  plan.steps = {1.0};
  plan.lease_s = 0;
  EXPECT_THAT(plan.Validate().ToString(), testing::HasSubstr("lease_s"));
  plan.lease_s = std::nan("");
  EXPECT_FALSE(plan.Validate().ok());
  EXPECT_EQ(*ParseStrategy("blue-green"), Strategy::kBlueGreen);
  EXPECT_THAT(ParseStrategy("big-bang").status().ToString(), testing::HasSubstr("rolling"));
}

TEST(Assignment, IsStickyNestedAndCloseToTheShare) {
  int on_tenth = 0, on_half = 0;
  constexpr int kRobots = 20000;
  for (int i = 0; i < kRobots; ++i) {
    const std::string robot = Cat("robot-", i);
    const bool tenth = OnCanary("r1", robot, "e1", 0.10), half = OnCanary("r1", robot, "e1", 0.50);
    EXPECT_EQ(tenth, OnCanary("r1", robot, "e1", 0.10));
    EXPECT_TRUE(half || !tenth);
    EXPECT_FALSE(OnCanary("r1", robot, "e1", 0.0));
    EXPECT_TRUE(OnCanary("r1", robot, "e1", 1.0));
    on_tenth += tenth;
    on_half += half;
  }
  EXPECT_NEAR(on_tenth, 0.10 * kRobots, 4 * std::sqrt(0.09 * kRobots));
  EXPECT_NEAR(on_half, 0.50 * kRobots, 4 * std::sqrt(0.25 * kRobots));
  int differ = 0;  // ("ab", "c") and ("a", "bc") are different robots
  for (int i = 0; i < 200; ++i) {
    const std::string n = Cat(i);
    differ += OnCanary("r", n + "b", "c", 0.5) != OnCanary("r", n, "bc", 0.5);
  }
  EXPECT_GT(differ, 60);
}

}  // namespace
}  // namespace saferl::registry
