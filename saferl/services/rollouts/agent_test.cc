// Sessions of this process as parties to a rollout: their leases, their reports, their shadow.
#include "saferl/services/rollouts/agent.h"

#include <gtest/gtest.h>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/registry/testing/packages.h"
#include "saferl/services/testing/rollout_world.h"
#include "saferl/storage/objects.h"
#include "saferl/storage/testing/temporary_directory.h"
#include "saferl/storage/testing/test_database.h"

namespace saferl::services {
namespace {

using registry::RolloutEvent;
using testing::FaultyDatabase;

class RolloutAgentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    below_ = rows_.Open().value();
    faulty_ = std::make_unique<FaultyDatabase>(below_.get());
    objects_ = storage::OpenObjects({.url = "dir:" + directory_.path()}).value();
    store_ = registry::Store::Open(faulty_.get(), objects_.get()).value();
    for (uint64_t i = 1; i <= 2; ++i) {
      const std::string package = registry::testing::SmallPackage(i);
      version_ = store_->Push({.model = "arm", .package = package, .who = "ann"}).value().version;
    }
    ASSERT_TRUE(store_->SetAlias("arm", "champion", 1, "ann").ok());
    evidence_ = EvidenceStore::Open(store_.get()).value();
    agent_ = std::make_unique<RolloutAgent>(store_.get(), evidence_.get(), &models_,
                                            RolloutAgentOptions{.report_s = 1});
  }
  std::string Roll() {
    registry::RolloutPlan plan;
    plan.steps = {1};
    plan.shadow_first = false;
    plan.approvals = 0;
    rollout_ = registry::RolloutStore(store_.get()).Start(version_, plan, "bob").value();
    return rollout_.id;
  }
  Status Turn(double seconds = 0) {
    now_ += FromSeconds(seconds);
    return agent_->Turn(now_);
  }
  static void Drive(RolloutSeat* seat, int64_t version, int ticks, safety::Reason reason) {
    static int64_t clock = kNanosPerSecond;
    control::Decision decision;
    for (int i = 0; i < ticks; ++i) {
      decision.input.now_ns = clock += kNanosPerSecond / 10;
      decision.command.reason = i % 2 == 1 ? reason : safety::Reason::kNone;
      seat->Count(version, control::TickModel(), decision);
    }
  }
  ArmEvidence All() { return evidence_->Read(rollout_, 0).value(); }

  int64_t now_ = 1000 * kNanosPerSecond;
  storage::testing::TestDatabase rows_{"sqlite"};
  storage::testing::TemporaryDirectory directory_{"agent"};
  std::unique_ptr<storage::Database> below_;
  std::unique_ptr<FaultyDatabase> faulty_;
  std::unique_ptr<storage::Objects> objects_;
  std::unique_ptr<registry::Store> store_;
  std::unique_ptr<EvidenceStore> evidence_;
  telemetry::Metrics metrics_;
  ModelHost models_{&metrics_, 1 << 30};
  std::unique_ptr<RolloutAgent> agent_;
  registry::Version version_;
  registry::Rollout rollout_;
};

TEST_F(RolloutAgentTest, ASessionGetsItsLeaseAndLosesItWithTheRollout) {
  const auto seat = agent_->Sit("r", "arm", "s1");
  ASSERT_TRUE(Turn().ok());
  EXPECT_FALSE(seat->Choose(Nanos(), true).decided);
  Roll();
  ASSERT_TRUE(Turn(0.2).ok());
  EXPECT_EQ(seat->Choose(Nanos(), true).version, 2);
  const auto leases = registry::RolloutStore(store_.get()).Leases(rollout_.id).value();
  ASSERT_EQ(leases.size(), 1U);
  EXPECT_EQ(leases[0].node, "r");
  EXPECT_EQ(leases[0].number, 2);
  // Taken back: the next look, not the next renewal.
  ASSERT_TRUE(
      registry::RolloutStore(store_.get()).Apply(rollout_.id, RolloutEvent::kReject, "x", "").ok());
  ASSERT_TRUE(Turn(0.2).ok());
  EXPECT_EQ(seat->Choose(Nanos(), false).version, 1);
}

TEST_F(RolloutAgentTest, ASessionThatBeginsDuringARolloutNeverSeesTheAlias) {
  Roll();
  ASSERT_TRUE(Turn().ok());
  const auto seat = agent_->Sit("r", "arm", "s1");
  const RolloutSeat::Choice choice = seat->Choose(Nanos(), true);  // before the agent's next turn
  EXPECT_TRUE(choice.decided);
  EXPECT_EQ(choice.version, 1);
}

TEST_F(RolloutAgentTest, ReportsSumsOfAllSessionsAlsoOfThoseThatEnded) {
  Roll();
  auto a = agent_->Sit("a", "arm", "s1");
  const auto b = agent_->Sit("b", "arm", "s2");
  ASSERT_TRUE(Turn().ok());
  Drive(a.get(), 2, 5, safety::Reason::kTickLate);
  Drive(b.get(), 1, 3, safety::Reason::kNone);
  a = nullptr;
  ASSERT_TRUE(Turn(1).ok());
  const ArmEvidence all = All();
  EXPECT_NEAR(all.canary_h * 3600, 0.4, 1e-9);
  EXPECT_NEAR(all.stable_h * 3600, 0.2, 1e-9);
  ASSERT_EQ(all.slices.size(), 1U);
  EXPECT_EQ(all.slices[0].canary, (BadCounts{0, 0, 0, 1, 0}));
  ASSERT_TRUE(Turn(1).ok());  // nothing new
  EXPECT_NEAR(All().canary_h * 3600, 0.4, 1e-9);
}

/// A write that failed, and one that was made but not confirmed, count once.
TEST_F(RolloutAgentTest, AReportThatMayHaveBeenWrittenIsSentAgainAndCountsOnce) {
  for (const auto fault :
       {FaultyDatabase::Fault::kStatusBefore, FaultyDatabase::Fault::kStatusAfter}) {
    if (rollout_.id.empty()) Roll();
    const double before = All().canary_h * 3600;
    const auto seat = agent_->Sit("a", "arm", "s");
    ASSERT_TRUE(Turn(10).ok());
    Drive(seat.get(), 2, 11, safety::Reason::kNone);
    faulty_->Arm(fault, 1);  // the report is the first write: no lease is due
    EXPECT_FALSE(Turn(1.01).ok());
    faulty_->Arm(FaultyDatabase::Fault::kNone, 0);
    ASSERT_TRUE(Turn(1.01).ok());
    EXPECT_NEAR(All().canary_h * 3600 - before, 1.0, 1e-9);
  }
}

TEST_F(RolloutAgentTest, WhatTheMonitorFindsCountsForThePolicyThatDrove) {
  Roll();
  ASSERT_TRUE(Turn().ok());
  control::Decision decision;
  const auto judged = [&](int64_t number, bool violation) {
    const std::string digest = store_->Find("arm", Cat(number))->digest;
    decision.policy_id = std::stoull(digest.substr(0, 16), nullptr, 16);
    decision.input.now_ns += kNanosPerSecond / 10;
    agent_->Judged(decision, violation);
  };
  for (int i = 0; i < 3; ++i) judged(1, false);
  for (int i = 0; i < 4; ++i) judged(2, i >= 2);  // one finding that lasts
  decision.policy_id = 77;                        // none of this registry
  agent_->Judged(decision, true);
  ASSERT_TRUE(Turn(1).ok());
  const ArmEvidence all = All();
  EXPECT_NEAR(all.stable_h * 3600, 0.2, 1e-9);
  EXPECT_NEAR(all.canary_h * 3600, 0.4, 1e-9);
  ASSERT_EQ(all.slices.size(), 1U);
  EXPECT_EQ(all.slices[0].canary[0], 1);
  EXPECT_EQ(all.slices[0].stable[0], 0);
}

}  // namespace
}  // namespace saferl::services
