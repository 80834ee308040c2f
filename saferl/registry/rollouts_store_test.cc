// Rollouts as rows: journal before effect, one at a time, leases that end by themselves.
#include "saferl/registry/rollouts_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/registry/testing/packages.h"
#include "saferl/storage/testing/temporary_directory.h"
#include "saferl/storage/testing/test_database.h"

namespace saferl::registry {
namespace {

using absl::StatusCode;
using registry::testing::SmallPackage;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RolloutStoreTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(rows_.status().ok()) << rows_.status();
    database_ = rows_.Open().value();
    objects_ = storage::OpenObjects({.url = "dir:" + directory_.path()}).value();
    store_ =
        Store::Open(database_.get(), objects_.get(), {.now_ns = [this] { return now_; }}).value();
    rollouts_ = std::make_unique<RolloutStore>(store_.get());
    for (uint64_t i = 1; i <= 3; ++i) {
      const std::string package = SmallPackage(i);
      versions_.push_back(
          store_->Push({.model = "arm", .package = package, .who = "ann"}).value().version);
    }
    ASSERT_TRUE(store_->SetAlias("arm", "champion", 1, "ann").ok());
  }
  Rollout Start(const RolloutPlan& plan = PlanFor(Strategy::kCanary)) {
    auto r = rollouts_->Start(versions_[1], plan, "bob");
    EXPECT_TRUE(r.ok()) << r.status();
    return r.ok() ? *r : Rollout{};
  }
  Phase Do(const std::string& id, RolloutEvent event, const std::string& who = "bob",
           const std::string& reason = "") {
    const auto r = rollouts_->Apply(id, event, who, reason);
    EXPECT_TRUE(r.ok()) << r.status();
    return r.ok() ? r->state.phase : Phase::kCount;
  }
  int64_t Champion() { return store_->Find("arm", "champion")->number; }

  int64_t now_ = kNanosPerSecond;
  storage::testing::TestDatabase rows_{GetParam()};
  storage::testing::TemporaryDirectory directory_{"rollouts"};
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<storage::Objects> objects_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<RolloutStore> rollouts_;
  std::vector<Version> versions_;
};

INSTANTIATE_TEST_SUITE_P(Stores, RolloutStoreTest, ::testing::Values("sqlite", "postgresql"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST_P(RolloutStoreTest, ACanaryGoesAllTheWayAndMovesTheChampionAtTheEnd) {
  const Rollout r = Start();
  EXPECT_EQ(r.state.phase, Phase::kShadow);
  EXPECT_EQ(r.from, 1);
  EXPECT_EQ(r.to, 2);
  EXPECT_EQ(Do(r.id, RolloutEvent::kAccept), Phase::kAwaitApproval);
  EXPECT_EQ(Do(r.id, RolloutEvent::kApprove, "eve", "looks good"), Phase::kCanary);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Champion(), 1);
    Do(r.id, RolloutEvent::kAccept);
  }
  EXPECT_EQ(rollouts_->Find(r.id)->state.phase, Phase::kBake);
  EXPECT_EQ(Champion(), 1);
  EXPECT_EQ(Do(r.id, RolloutEvent::kAccept), Phase::kPromoted);
  EXPECT_EQ(Champion(), 2);
  EXPECT_FALSE(rollouts_->Find(r.id)->active);
  EXPECT_EQ(store_->Approvals("arm", 2)->at(0).who, "eve");
}

TEST_P(RolloutStoreTest, TheJournalReplaysToTheStateThatIsThere) {
  const Rollout r = Start();
  for (const RolloutEvent event :
       {RolloutEvent::kAccept, RolloutEvent::kApprove, RolloutEvent::kPause,
        RolloutEvent::kDataBack, RolloutEvent::kResume, RolloutEvent::kAccept,
        RolloutEvent::kReject, RolloutEvent::kAccept, RolloutEvent::kAllStable})
    Do(r.id, event, "eve", "because");
  const auto journal = rollouts_->Journal(r.id).value();
  RolloutState state;
  int64_t seq = 0;
  for (const JournalEntry& e : journal) {
    EXPECT_EQ(e.seq, ++seq);
    EXPECT_EQ(e.before, state) << e.event;
    EXPECT_NE(e.before, e.after) << "what changes nothing is not written: " << e.event;
    state = e.after;
  }
  EXPECT_EQ(seq, 8);  // data_back of an operator's hold and accept while rolling back: nothing
  EXPECT_EQ(state, rollouts_->Find(r.id)->state);
  EXPECT_EQ(state.phase, Phase::kRolledBack);
}

TEST_P(RolloutStoreTest, ARejectionQuarantinesTheBytesAndKeepsTheChampion) {
  RolloutPlan plan = PlanFor(Strategy::kRolling);
  plan.approvals = 0;
  const Rollout r = Start(plan);
  EXPECT_EQ(r.state.phase, Phase::kCanary);
  EXPECT_EQ(Do(r.id, RolloutEvent::kReject, "gate", "collisions"), Phase::kRollingBack);
  EXPECT_TRUE(store_->Find("arm", "2")->quarantined);
  EXPECT_EQ(store_->Find("arm", "2")->quarantine_reason, "collisions");
  EXPECT_EQ(Do(r.id, RolloutEvent::kAllStable), Phase::kRolledBack);
  EXPECT_EQ(Champion(), 1);
  EXPECT_EQ(rollouts_->Start(versions_[1], plan, "bob").status().code(),
            StatusCode::kFailedPrecondition);
}

TEST_P(RolloutStoreTest, OneRolloutOfAModelAtATimeAndNeverToTheChampion) {
  const Rollout r = Start();
  const Status second = rollouts_->Start(versions_[2], r.plan, "bob").status();
  EXPECT_EQ(second.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(second.message(), HasSubstr(r.id));
  EXPECT_EQ(Do(r.id, RolloutEvent::kAbort), Phase::kAborted);
  now_ += 1;
  EXPECT_TRUE(rollouts_->Start(versions_[2], r.plan, "bob").ok());
  EXPECT_EQ(rollouts_->Latest("arm")->to, 3);
  EXPECT_EQ(rollouts_->List("", true, 10)->size(), 1U);
  EXPECT_EQ(rollouts_->List("arm", false, 10)->size(), 2U);
  Do(rollouts_->Latest("arm")->id, RolloutEvent::kAbort);
  EXPECT_EQ(rollouts_->Start(versions_[0], r.plan, "bob").status().code(),
            StatusCode::kFailedPrecondition);
}

TEST_P(RolloutStoreTest, ApprovalsAreOfDifferentPeopleAndThoseBeforeCount) {
  RolloutPlan plan = PlanFor(Strategy::kCanary);
  plan.approvals = 2;
  ASSERT_TRUE(store_->Approve("arm", 2, "eve", "").ok());
  const Rollout r = Start(plan);
  EXPECT_EQ(Do(r.id, RolloutEvent::kAccept), Phase::kAwaitApproval);
  EXPECT_EQ(rollouts_->Apply(r.id, RolloutEvent::kApprove, "eve", "").status().code(),
            StatusCode::kAlreadyExists);
  EXPECT_EQ(rollouts_->Apply(r.id, RolloutEvent::kApprove, "ann", "").status().code(),
            StatusCode::kFailedPrecondition);  // ann pushed it
  EXPECT_EQ(rollouts_->Find(r.id)->state.phase, Phase::kAwaitApproval);
  EXPECT_EQ(rollouts_->Journal(r.id)->size(), 2U);  // a refused event leaves no trace
  EXPECT_EQ(Do(r.id, RolloutEvent::kApprove, "joe"), Phase::kCanary);
}

TEST_P(RolloutStoreTest, ALeaseEndsByItselfAndIsNotGivenWhereNoRobotMayRun) {
  const Rollout r = Start();
  EXPECT_EQ(rollouts_->Renew(r.id, "robot-1", 2).code(), StatusCode::kFailedPrecondition);
  EXPECT_TRUE(rollouts_->Renew(r.id, "robot-1", 1).ok());
  EXPECT_EQ(rollouts_->Renew(r.id, "robot-1", 3).code(), StatusCode::kFailedPrecondition);
  Do(r.id, RolloutEvent::kAccept);
  Do(r.id, RolloutEvent::kApprove, "eve");
  ASSERT_TRUE(rollouts_->Renew(r.id, "robot-1", 2).ok());
  ASSERT_TRUE(rollouts_->Renew(r.id, "robot-2", 1).ok());
  Do(r.id, RolloutEvent::kAbort);
  EXPECT_FALSE(rollouts_->Renew(r.id, "robot-1", 2).ok());
  const std::vector<Lease> leases = rollouts_->Leases(r.id).value();
  EXPECT_EQ(leases.size(), 2U);
  for (const Lease& lease : leases)
    EXPECT_EQ(lease.until_ns, now_ + FromSeconds(r.plan.lease_s)) << lease.node;
}

TEST_P(RolloutStoreTest, ControlIsOneHoldersUntilItEnds) {
  EXPECT_TRUE(*rollouts_->TakeControl("a", 5));
  EXPECT_TRUE(*rollouts_->TakeControl("a", 5));
  EXPECT_FALSE(*rollouts_->TakeControl("b", 5));
  now_ += FromSeconds(5);
  EXPECT_TRUE(*rollouts_->TakeControl("b", 5));
  EXPECT_FALSE(*rollouts_->TakeControl("a", 5));
}

/// What follows from an event cannot fail after the event was kept: both or neither.
TEST_P(RolloutStoreTest, AnEffectThatFailsLeavesTheStateBefore) {
  RolloutPlan plan = PlanFor(Strategy::kBlueGreen);
  plan.shadow_first = false;
  plan.approvals = 0;
  const Rollout r = Start(plan);
  EXPECT_EQ(r.state.phase, Phase::kBake);
  ASSERT_TRUE(store_->Quarantine(versions_[1].digest, "found elsewhere", "eve").ok());
  EXPECT_EQ(rollouts_->Apply(r.id, RolloutEvent::kAccept, "bob", "").status().code(),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(rollouts_->Find(r.id)->state.phase, Phase::kBake);
  EXPECT_EQ(rollouts_->Journal(r.id)->size(), 1U);
  EXPECT_EQ(Champion(), 1);
  EXPECT_EQ(store_->DeleteVersion("arm", 2, "ann").code(), StatusCode::kFailedPrecondition);
}

TEST(RolloutJson, PlansAndStatesComeBackAsTheyWent) {
  for (const Strategy strategy :
       {Strategy::kCanary, Strategy::kShadow, Strategy::kBlueGreen, Strategy::kRolling}) {
    const RolloutPlan plan = PlanFor(strategy, 0.07);
    const auto back = PlanFromJson(ToJson(plan));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(ToJson(*back), ToJson(plan));
    EXPECT_EQ(back->steps, plan.steps);
  }
  RolloutState state{Phase::kHold, Phase::kCanary, true, 2, 1, false};
  EXPECT_EQ(*StateFromJson(ToJson(state)), state);
  for (const char* bad : {"", "[]", "{", R"({"phase":"x"})", R"({"step":-1})", R"({"y":1})",
                          R"({"step":1.5})", R"({"phase":"shadow"}x)"})
    EXPECT_FALSE(StateFromJson(bad).ok()) << bad;
  EXPECT_FALSE(PlanFromJson(R"({"steps":[0.5]})").ok());
}

}  // namespace
}  // namespace saferl::registry
