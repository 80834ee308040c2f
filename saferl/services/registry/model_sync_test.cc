// What is served follows the registry: dropped files, new versions, aliases, rollouts, quarantine,
// ONNX files of a folder, and a store that goes away and comes back.
#include "saferl/services/registry/model_sync.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "saferl/base/file.h"
#include "saferl/base/text.h"
#include "saferl/registry/testing/packages.h"
#include "saferl/services/testing/backends.h"
#include "saferl/services/testing/rollout_world.h"

namespace saferl::services {
namespace {

using registry::testing::SmallPackage;
using ::testing::ElementsAre;
using testing::FaultyDatabase;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class ModelSyncTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(stores_.status().ok()) << stores_.status();
    below_ = stores_.OpenDatabase().value();
    faulty_ = std::make_unique<FaultyDatabase>(below_.get());
    objects_ = stores_.OpenObjects().value();
    store_ = registry::Store::Open(faulty_.get(), objects_.get()).value();
    sync_ = std::make_unique<ModelSync>(store_.get(), &host_);
  }
  std::string Folder() const { return stores_.folder() + "/dropped"; }
  void Drop(const std::string& file, const std::string& bytes) const {
    const std::filesystem::path path = Cat(Folder(), "/", file);
    std::filesystem::create_directories(path.parent_path());
    ASSERT_TRUE(WriteFileAtomic(path.string(), bytes).ok());
  }
  registry::Version Push(uint64_t seed) {
    return store_->Push({.model = "arm", .package = SmallPackage(seed), .who = "ann"})
        .value()
        .version;
  }
  std::string State(const std::string& name, const std::string& version) const {
    for (const IndexEntry& entry : host_.Index()) {
      if (entry.name == name && entry.version == version)
        return Cat(entry.state, " ", entry.reason);
    }
    return "absent";
  }
  std::vector<std::string> Served() const { return host_.Versions("arm"); }
  /// "+1 +2 -1": what this machine began and ended to serve, oldest first.
  std::string History() const {
    std::string all;
    const std::vector<registry::Event> events = store_->History("arm", 0, 100).value();
    for (const registry::Event& event : events) {
      if (event.kind == "serving") all = Cat("+", event.number, " ", all);
      if (event.kind == "served") all = Cat("-", event.number, " ", all);
    }
    return all;
  }

  const Backends stores_{GetParam()};
  std::unique_ptr<storage::Database> below_;
  std::unique_ptr<FaultyDatabase> faulty_;
  std::unique_ptr<storage::Objects> objects_;
  std::unique_ptr<registry::Store> store_;
  telemetry::Metrics metrics_;
  ModelHost host_{&metrics_, 1 << 24};
  std::unique_ptr<ModelSync> sync_;
};
INSTANTIATE_TEST_SUITE_P(Stores, ModelSyncTest, ::testing::ValuesIn(kBackends), NameOfBackends);

TEST_P(ModelSyncTest, DroppedPackagesArePushedUnderTheirNumbersOnceAndServed) {
  Drop("arm/1.policy", SmallPackage(1));
  Drop("arm/7.policy", SmallPackage(7));
  Drop("arm/notes.txt", "not a model");
  Drop("broken/1.policy", "no package");
  for (int start = 0; start < 2; ++start) {  // the second start finds them there
    ASSERT_TRUE(sync_->PushFiles(Folder()).ok());
    ASSERT_TRUE(sync_->Sync().ok());
    EXPECT_THAT(Served(), ElementsAre("1", "7"));
    EXPECT_EQ(store_->Find("arm", "7")->author, "models-folder");
    EXPECT_FALSE(store_->FindModel("broken").ok()) << "what does not verify is not pushed";
    EXPECT_THAT(State("broken", "1"), HasSubstr("UNAVAILABLE"));
  }
  EXPECT_TRUE(sync_->PushFiles(Cat(Folder(), "/none")).ok()) << "no folder is no error";
}

TEST_P(ModelSyncTest, TheNewestAndTheNamedAreServedAndTheOthersAreNot) {
  for (uint64_t i = 1; i <= 5; ++i) Push(i);
  ASSERT_TRUE(store_->SetAlias("arm", "champion", 1, "ann").ok());
  ASSERT_TRUE(sync_->Sync().ok());
  EXPECT_THAT(Served(), UnorderedElementsAre("1", "3", "4", "5"));
  EXPECT_EQ(host_.Find("arm", "champion")->version, "1");
  // Only a change of the registry makes it look again; what it records of itself is none.
  ASSERT_TRUE(host_.Unload("arm", "3").ok());
  ASSERT_TRUE(sync_->SyncIfChanged().ok());
  EXPECT_THAT(Served(), UnorderedElementsAre("1", "4", "5"));
  ASSERT_TRUE(store_->SetAlias("arm", "champion", 2, "ann").ok());
  ASSERT_TRUE(sync_->SyncIfChanged().ok());
  EXPECT_THAT(Served(), UnorderedElementsAre("2", "3", "4", "5"));
  EXPECT_EQ(host_.Find("arm", "champion")->version, "2");
}

TEST_P(ModelSyncTest, BothVersionsOfARolloutStayAndAQuarantinedOneGoes) {
  Push(1);
  ASSERT_TRUE(store_->SetAlias("arm", "champion", 1, "ann").ok());
  const registry::Version to = Push(2);
  registry::RolloutPlan plan;
  plan.approvals = 0;
  const auto rollout = registry::RolloutStore(store_.get()).Start(to, plan, "bob");
  ASSERT_TRUE(rollout.ok()) << rollout.status();
  for (uint64_t i = 3; i <= 6; ++i) Push(i);
  ASSERT_TRUE(sync_->Sync().ok());
  EXPECT_THAT(Served(), UnorderedElementsAre("1", "2", "4", "5", "6"));
  ASSERT_TRUE(store_->Quarantine(store_->Find("arm", "6")->digest, "drifts", "eve").ok());
  ASSERT_TRUE(sync_->SyncIfChanged().ok());
  EXPECT_THAT(Served(), ::testing::Not(::testing::Contains("6")));
  ASSERT_TRUE(store_->Release(store_->Find("arm", "6")->digest, "was the sensor", "eve").ok());
  ASSERT_TRUE(sync_->SyncIfChanged().ok());
  EXPECT_THAT(Served(), ::testing::Contains("6"));
}

TEST_P(ModelSyncTest, OnnxFilesAreServedFromTheirFolderAndNeverPushed) {
  Drop("net/1.onnx", "no ONNX file");
  Drop("arm/9.onnx", "no ONNX file");
  Push(1);
  ASSERT_TRUE(sync_->PushFiles(Folder()).ok());
  ASSERT_TRUE(sync_->Sync().ok());
  EXPECT_TRUE(absl::IsNotFound(store_->FindModel("net").status()));
  EXPECT_THAT(State("net", "1"), HasSubstr("UNAVAILABLE")) << "it is reported, with why";
  EXPECT_EQ(State("arm", "9"), "absent") << "a name of the registry's is the registry's";
  EXPECT_THAT(Served(), ElementsAre("1"));
  EXPECT_FALSE(sync_->Load("net").ok());
  EXPECT_TRUE(absl::IsNotFound(sync_->Load("none")));
}

TEST_P(ModelSyncTest, AStoreThatIsAwayIsWaitedForAndTheRestIsPushedWhenItIsBack) {
  Drop("arm/1.policy", SmallPackage(1));
  Drop("arm/2.policy", SmallPackage(2));
  faulty_->Arm(FaultyDatabase::Fault::kStatusBefore, 1);
  EXPECT_TRUE(absl::IsUnavailable(sync_->PushFiles(Folder())));
  EXPECT_FALSE(store_->FindModel("arm").ok());
  faulty_->Arm(FaultyDatabase::Fault::kNone, 0);
  ASSERT_TRUE(sync_->SyncIfChanged().ok());
  EXPECT_THAT(Served(), ElementsAre("1", "2"));
  // A push whose confirmation was lost is pushed again and is the same version.
  Drop("arm/3.policy", SmallPackage(3));
  faulty_->Arm(FaultyDatabase::Fault::kStatusAfter, 1);
  (void)sync_->PushFiles(Folder());
  faulty_->Arm(FaultyDatabase::Fault::kNone, 0);
  ASSERT_TRUE(sync_->PushFiles(Folder()).ok());
  ASSERT_TRUE(sync_->SyncIfChanged().ok());
  EXPECT_THAT(Served(), ElementsAre("1", "2", "3"));
}

/// What a client unloads stays unloaded, whatever machines record of what they serve.
TEST_P(ModelSyncTest, AnUnloadRightAfterAChangeIsNotUndone) {
  for (uint64_t i = 1; i <= 4; ++i) Push(i);
  ASSERT_TRUE(sync_->Sync().ok());
  Push(5);
  ASSERT_TRUE(sync_->SyncIfChanged().ok());  // begins 5, ends 2, and records both
  ASSERT_TRUE(host_.Unload("arm", "5").ok());
  ASSERT_TRUE(sync_->SyncIfChanged().ok());
  EXPECT_THAT(Served(), UnorderedElementsAre("3", "4"));
  // By the client's own load of the model, on another machine, and by a push of what is there.
  ASSERT_TRUE(sync_->Load("arm").ok());
  ASSERT_TRUE(host_.Unload("arm", "4").ok());
  ASSERT_TRUE(store_->RecordServing("arm", 4, "another-machine", true).ok());
  Push(4);
  ASSERT_TRUE(sync_->SyncIfChanged().ok());
  EXPECT_THAT(Served(), UnorderedElementsAre("3", "5"));
  Push(6);
  ASSERT_TRUE(sync_->SyncIfChanged().ok());
  EXPECT_THAT(Served(), UnorderedElementsAre("4", "5", "6"));
}

TEST_P(ModelSyncTest, WhatIsServedAndSinceWhenIsKept) {
  Push(1);
  ASSERT_TRUE(sync_->Sync().ok());
  for (uint64_t i = 2; i <= 4; ++i) Push(i);
  ASSERT_TRUE(sync_->SyncIfChanged().ok());
  EXPECT_EQ(History(), "+1 +2 +3 +4 -1 ");
}

}  // namespace
}  // namespace saferl::services
