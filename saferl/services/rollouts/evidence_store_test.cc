#include "saferl/services/rollouts/evidence_store.h"

#include <gtest/gtest.h>

#include "saferl/base/clock.h"
#include "saferl/services/testing/backends.h"

namespace saferl::services {
namespace {

class EvidenceStoreTest : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Stores, EvidenceStoreTest, ::testing::ValuesIn(kBackends), NameOfBackends);

TEST_P(EvidenceStoreTest, ReadsBackByArmWithTheShareOfTheTimeAndAfterARestart) {
  const Backends stores(GetParam());
  ASSERT_TRUE(stores.status().ok()) << stores.status();
  const auto database = stores.OpenDatabase().value();
  registry::Rollout rollout;
  rollout.id = "arm-2";
  {
    const auto store = EvidenceStore::Open(database.get()).value();
    const int64_t at = 100 * kNanosPerSecond;
    const RobotReport canary{.rollout = "arm-2",
                             .robot = "a",
                             .at_ns = at,
                             .on_canary = true,
                             .seconds = 1,
                             .bad = {1, 2, 0, 0}};
    ASSERT_TRUE(store->Report(canary).ok());
    ASSERT_TRUE(store->Report(canary).ok());  // sent again: counted once
    ASSERT_TRUE(
        store->Report({.rollout = "arm-2", .robot = "b", .at_ns = at + 1, .seconds = 3}).ok());
    ASSERT_TRUE(
        store->Report({.rollout = "other", .robot = "b", .at_ns = at + 1, .seconds = 3}).ok());
    EXPECT_TRUE(absl::IsInvalidArgument(store->Report({.rollout = "arm-2", .robot = "b"})));
  }
  const auto store = EvidenceStore::Open(database.get()).value();
  const ArmEvidence all = store->Read(rollout, 0).value();
  EXPECT_DOUBLE_EQ(all.canary_h, 1.0 / 3600);
  EXPECT_DOUBLE_EQ(all.stable_h, 3.0 / 3600);
  ASSERT_EQ(all.events.size(), 3U);
  EXPECT_EQ(all.events[0].kind, BadKind::kHard);
  EXPECT_EQ(all.events[2].kind, BadKind::kViolation);
  for (const BadEvent& event : all.events) {
    EXPECT_TRUE(event.on_canary);
    EXPECT_DOUBLE_EQ(event.canary_share, 0.25);
  }
  const ArmEvidence later = store->Read(rollout, 100 * kNanosPerSecond + 1).value();
  EXPECT_TRUE(later.events.empty());
  EXPECT_EQ(later.canary_ns, 0);
  EXPECT_EQ(later.stable_ns, 100 * kNanosPerSecond + 1);
}

}  // namespace
}  // namespace saferl::services
