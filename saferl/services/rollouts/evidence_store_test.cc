#include "saferl/services/rollouts/evidence_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/registry/testing/packages.h"
#include "saferl/services/rollouts/judge.h"
#include "saferl/services/testing/backends.h"

namespace saferl::services {
namespace {

using registry::Rollout;
using registry::RolloutEvent;

class EvidenceStoreTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(stores_.status().ok()) << stores_.status();
    database_ = stores_.OpenDatabase().value();
    objects_ = stores_.OpenObjects().value();
    registry_ =
        registry::Store::Open(database_.get(), objects_.get(), {.now_ns = [this] { return now_; }})
            .value();
    registry::Version version;
    for (uint64_t i = 1; i <= 2; ++i) {
      const std::string package = registry::testing::SmallPackage(i);
      version = registry_->Push({.model = "arm", .package = package, .who = "ann"}).value().version;
    }
    ASSERT_TRUE(registry_->SetAlias("arm", "champion", 1, "ann").ok());
    registry::RolloutPlan plan;
    plan.shadow_first = false;
    plan.approvals = 0;
    rollout_ = registry::RolloutStore(registry_.get()).Start(version, plan, "bob").value();
    store_ = EvidenceStore::Open(registry_.get()).value();
  }
  StatusOr<bool> Report(const std::string& robot, const std::string& id, int64_t version,
                        double seconds, const BadCounts& bad = {}) {
    return store_->Report({rollout_.id, robot, id, version, seconds, bad});
  }
  void Apply(RolloutEvent event) {
    rollout_ = registry::RolloutStore(registry_.get()).Apply(rollout_.id, event, "eve", "").value();
  }
  int64_t Count(const char* table) {
    return storage::AsInt(database_->Query(Cat("SELECT count(*) FROM ", table)).value().rows[0][0]);
  }

  int64_t now_ = 1'000'003 * kNanosPerSecond;  // within a slice of the clock's
  Backends stores_{GetParam()};
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<storage::Objects> objects_;
  std::unique_ptr<registry::Store> registry_;
  std::unique_ptr<EvidenceStore> store_;
  Rollout rollout_;
};
INSTANTIATE_TEST_SUITE_P(Stores, EvidenceStoreTest, ::testing::ValuesIn(kBackends), NameOfBackends);

TEST_P(EvidenceStoreTest, ReadsBackByArmWithTheShareOfTheTimeAndAfterARestart) {
  now_ += kNanosPerSecond;
  EXPECT_TRUE(Report("a", "1", 2, 1, {1, 2, 0, 0, 4}).value());
  EXPECT_FALSE(Report("a", "1", 2, 1, {1, 2, 0, 0, 4}).value());  // sent again: counted once
  EXPECT_TRUE(Report("b", "1", 1, 3, {0, 0, 5, 0}).value());      // another robot's
  store_ = EvidenceStore::Open(registry_.get()).value();
  EXPECT_FALSE(Report("a", "1", 2, 1).value());
  const ArmEvidence all = store_->Read(rollout_, rollout_.updated_ns).value();
  EXPECT_DOUBLE_EQ(all.canary_h, 1.0 / 3600);
  EXPECT_DOUBLE_EQ(all.stable_h, 3.0 / 3600);
  EXPECT_EQ(all.canary_ns, now_);
  ASSERT_EQ(all.slices.size(), 1U);
  EXPECT_EQ(all.slices[0].canary, (BadCounts{1, 2, 0, 0, 4}));
  EXPECT_EQ(all.slices[0].stable, (BadCounts{0, 0, 5, 0}));
  EXPECT_DOUBLE_EQ(all.slices[0].canary_share, 0.25);
}

TEST_P(EvidenceStoreTest, AStepIsReadWithoutWhatCameBeforeItInTheSameSlice) {
  ASSERT_TRUE(Report("a", "1", 2, 1, {0, 7, 0, 0}).ok());
  now_ += kNanosPerSecond / 2;
  Apply(RolloutEvent::kAccept);
  ASSERT_TRUE(Report("a", "2", 2, 2, {0, 1, 0, 0}).ok());
  const ArmEvidence step = store_->Read(rollout_, rollout_.updated_ns).value();
  ASSERT_EQ(step.slices.size(), 1U);
  EXPECT_EQ(step.slices[0].canary[1], 1);
  EXPECT_DOUBLE_EQ(step.canary_h, 2.0 / 3600);
  EXPECT_EQ(step.stable_ns, 0);
  EXPECT_EQ(store_->Read(rollout_, 0).value().slices.size(), 2U);
}

TEST_P(EvidenceStoreTest, RefusesNamingTheField) {
  using ::testing::HasSubstr;
  const auto says = [](const StatusOr<bool>& result) { return Cat(result.status().message()); };
  EXPECT_THAT(says(Report("a b", "1", 2, 1)), HasSubstr("robot"));
  EXPECT_THAT(says(Report("a", "", 2, 1)), HasSubstr("report"));
  EXPECT_THAT(says(Report("a", "1", 2, 0)), HasSubstr("seconds"));
  EXPECT_THAT(says(Report("a", "1", 2, 1, {0, -1, 0, 0})), HasSubstr("violations"));
  EXPECT_THAT(says(Report("a", "1", 3, 1)), HasSubstr("version: 3"));
  EXPECT_TRUE(absl::IsNotFound(store_->Report({"none", "a", "1", 2, 1, {}}).status()));
  EXPECT_EQ(Count("rollout_slices"), 0);
}

TEST_P(EvidenceStoreTest, OfAnEndedRolloutTheSumsStay) {
  for (int i = 0; i < 50; ++i) {
    now_ += 4 * kNanosPerSecond;
    ASSERT_TRUE(Report("a", Cat(i), 2, 1, {0, 1, 0, 0}).value());
    ASSERT_TRUE(Report("b", Cat(i), 1, 3, {0, 0, 0, 2}).value());
  }
  ASSERT_TRUE(store_->Tidy().ok());
  EXPECT_EQ(Count("rollout_reports"), 100);  // it still runs
  EXPECT_GE(Count("rollout_slices"), 40);
  const ArmEvidence before = store_->Read(rollout_, 0).value();
  Apply(RolloutEvent::kAbort);
  Apply(RolloutEvent::kAllStable);
  ASSERT_TRUE(store_->Tidy().ok());
  EXPECT_EQ(Count("rollout_reports"), 0);
  EXPECT_EQ(Count("rollout_slices"), 2);
  const ArmEvidence after = store_->Read(rollout_, 0).value();
  EXPECT_NEAR(after.canary_h, before.canary_h, 1e-12);
  EXPECT_NEAR(after.stable_h, before.stable_h, 1e-12);
  ASSERT_EQ(after.slices.size(), 1U);
  EXPECT_EQ(after.slices[0].canary[1], 50);
  EXPECT_EQ(after.slices[0].stable[3], 100);
  EXPECT_TRUE(absl::IsFailedPrecondition(Report("a", "x", 2, 1).status()));
}

/// However many robots and events: what a judgement reads is two rows every ten seconds.
TEST_P(EvidenceStoreTest, WhatAJudgementReadsDoesNotGrowWithRobotsAndEvents) {
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(Report(Cat("r", i), "1", i % 2 + 1, 1, {0, 10'000, 0, 0}).value());
  }
  EXPECT_EQ(Count("rollout_slices"), 2);
  const ArmEvidence all = store_->Read(rollout_, 0).value();
  ASSERT_EQ(all.slices.size(), 1U);
  EXPECT_EQ(all.slices[0].canary[1], 200'000);
}

}  // namespace
}  // namespace saferl::services
