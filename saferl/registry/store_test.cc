// What Store promises, on SQLite with a directory and on PostgreSQL with S3.
#include "saferl/registry/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "saferl/base/hash.h"
#include "saferl/base/text.h"
#include "saferl/registry/store_rows.h"
#include "saferl/registry/testing/packages.h"
#include "saferl/storage/testing/s3_server.h"
#include "saferl/storage/testing/temporary_directory.h"
#include "saferl/storage/testing/test_database.h"

namespace saferl::registry {
namespace {

using absl::StatusCode;
using registry::testing::SmallPackage;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class StoreTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(rows_.status().ok()) << rows_.status();
    database_ = rows_.Open().value();
    const storage::ObjectsOptions options =
        std::string_view(GetParam()) == "sqlite"
            ? storage::ObjectsOptions{.url = "dir:" + directory_.path()}
            : storage::testing::S3Server::Shared().NewBucket();
    objects_ = storage::OpenObjects(options).value();
    auto store = Store::Open(database_.get(), objects_.get(), {.now_ns = [this] { return now_; }});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  Version Push(const std::string& model, uint64_t seed, const std::string& who = "ann") {
    const std::string package = SmallPackage(seed);
    auto pushed = store_->Push({.model = model, .package = package, .who = who});
    EXPECT_TRUE(pushed.ok()) << pushed.status();
    return pushed.ok() ? pushed->version : Version{};
  }
  std::vector<int64_t> Numbers(const Search& search) {
    auto versions = store_->ListVersions(search);
    EXPECT_TRUE(versions.ok()) << versions.status();
    std::vector<int64_t> numbers;
    for (const Version& v : *versions) numbers.push_back(v.number);
    return numbers;
  }
  std::vector<std::string> Kinds(const std::string& model, int64_t number = 0) {
    std::vector<std::string> kinds;
    const auto events = store_->History(model, number, 100);
    EXPECT_TRUE(events.ok()) << events.status();
    for (const Event& e : events.value()) kinds.push_back(e.kind);
    return kinds;
  }

  int64_t now_ = 1'000;
  storage::testing::TestDatabase rows_{GetParam()};
  storage::testing::TemporaryDirectory directory_{"registry"};
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<storage::Objects> objects_;
  std::unique_ptr<Store> store_;
};

INSTANTIATE_TEST_SUITE_P(Stores, StoreTest, ::testing::Values("sqlite", "postgresql"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST_P(StoreTest, TheSameBytesAreTheSameVersionAndOtherBytesTheNext) {
  const std::string package = SmallPackage(1);
  const auto first = store_->Push({.model = "arm", .package = package, .who = "ann"});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(first->created);
  EXPECT_EQ(first->version.number, 1);
  EXPECT_EQ(first->version.digest, Sha256Hex(package));
  EXPECT_EQ(first->version.robot, "wheelchair");
  const auto again = store_->Push({.model = "arm", .package = package, .who = "bob"});
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->created);
  EXPECT_EQ(again->version.number, 1);
  EXPECT_EQ(again->version.author, "ann");
  EXPECT_EQ(Push("arm", 2).number, 2);
  EXPECT_TRUE(*store_->Bytes(first->version.digest) == package);
  EXPECT_EQ(Kinds("arm", 1), std::vector<std::string>{"pushed"});
}

TEST_P(StoreTest, NothingIsKeptOfWhatIsNoPackage) {
  std::string damaged = SmallPackage(1);
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
  for (const std::string& bytes : {std::string(), std::string("not a package"), damaged}) {
    EXPECT_EQ(store_->Push({.model = "arm", .package = bytes, .who = "ann"}).status().code(),
              StatusCode::kInvalidArgument);
  }
  for (const char* name : {"", "..", "a/b", "a b", "\xff", "a\nb"}) {
    const std::string good = SmallPackage(1);
    EXPECT_EQ(store_->Push({.model = name, .package = good, .who = "ann"}).status().code(),
              StatusCode::kInvalidArgument)
        << name;
    EXPECT_EQ(store_->Push({.model = "arm", .package = good, .who = name}).status().code(),
              StatusCode::kInvalidArgument)
        << name;
  }
  EXPECT_EQ(store_->FindModel("arm").status().code(), StatusCode::kNotFound);
  int objects = 0;
  ASSERT_TRUE(objects_->List([&](std::string_view, uint64_t) { ++objects; }).ok());
  EXPECT_EQ(objects, 0);
}

TEST_P(StoreTest, LineageComesFromThePackageAndMayNotBeContradicted) {
  const std::string package = SmallPackage(
      1,
      R"({"seed":7,"task":"wheelchair_corridor","algorithm":"cpo","commit":"abc","config":"x: 1"})");
  PushRequest request{.model = "arm", .package = package, .who = "ann"};
  request.lineage.seed = "8";
  EXPECT_THAT(store_->Push(request).status().message(), HasSubstr("seed"));
  request.lineage.seed = "7";
  request.lineage.data = "worlds-3";
  const auto pushed = store_->Push(request);
  ASSERT_TRUE(pushed.ok()) << pushed.status();
  const Lineage& l = pushed->version.lineage;
  EXPECT_EQ(l.seed, "7");
  EXPECT_EQ(l.data, "worlds-3");
  EXPECT_EQ(l.code_commit, "abc");
  EXPECT_EQ(l.task, "wheelchair_corridor");
  EXPECT_EQ(l.config_sha256, Sha256Hex("x: 1"));
}

TEST_P(StoreTest, AReferenceIsANumberAnAliasOrTheDefault) {
  Push("arm", 1);
  Push("arm", 2);
  EXPECT_EQ(store_->Find("arm", "")->number, 2);
  ASSERT_TRUE(store_->SetAlias("arm", "champion", 1, "ann").ok());
  EXPECT_EQ(store_->Find("arm", "")->number, 1);
  EXPECT_EQ(store_->Find("arm", "champion")->number, 1);
  EXPECT_EQ(store_->Find("arm", "2")->number, 2);
  EXPECT_EQ(store_->Find("arm", "champion")->aliases, std::vector<std::string>{"champion"});
  EXPECT_EQ(store_->Find("arm", "3").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->Find("arm", "other").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->Find("leg", "1").status().code(), StatusCode::kNotFound);
  for (const char* alias : {"", "latest", "LATEST", "v1", "12", "a b", "a/b"}) {
    EXPECT_EQ(store_->SetAlias("arm", alias, 1, "ann").code(), StatusCode::kInvalidArgument)
        << alias;
  }
  EXPECT_EQ(store_->SetAlias("arm", "x", 9, "ann").code(), StatusCode::kNotFound);
}

TEST_P(StoreTest, HistorySaysWhichVersionAnAliasNamedWhen) {
  Push("arm", 1);
  Push("arm", 2);
  now_ = 2'000;
  ASSERT_TRUE(store_->SetAlias("arm", "champion", 1, "ann").ok());
  now_ = 3'000;
  ASSERT_TRUE(store_->SetAlias("arm", "champion", 2, "bob").ok());
  now_ = 4'000;
  ASSERT_TRUE(store_->DeleteVersion("arm", 2, "bob").ok());
  EXPECT_EQ(*store_->AliasAt("arm", "champion", 1'999), 0);
  EXPECT_EQ(*store_->AliasAt("arm", "champion", 2'500), 1);
  EXPECT_EQ(*store_->AliasAt("arm", "champion", 3'000), 2);
  EXPECT_EQ(*store_->AliasAt("arm", "champion", 4'000), 0);
  ASSERT_TRUE(store_->RecordServing("arm", 1, "robot-7", true).ok());
  EXPECT_EQ(store_->History("arm", 0, 1)->at(0).kind, "serving");
  EXPECT_EQ(store_->History("arm", 0, 1)->at(0).who, "robot-7");
}

TEST_P(StoreTest, AChangeByAMachineWhoseClockIsBehindIsSeenToo) {
  now_ = 9'000;
  Push("arm", 1);
  Push("leg", 2);
  now_ = 10'000;
  ASSERT_TRUE(store_->SetAlias("arm", "champion", 1, "ann").ok());
  const int64_t before = *store_->Revision();
  now_ = 4'000;
  ASSERT_TRUE(store_->Quarantine(store_->Find("leg", "1")->digest, "drifts", "eve").ok());
  EXPECT_NE(*store_->Revision(), before);
}

TEST_P(StoreTest, TheRevisionMovesWithChangesAndWithNothingElse) {
  Push("arm", 1);
  now_ = 5'000;
  const int64_t before = *store_->Revision();
  const Model model = *store_->FindModel("arm");
  for (const bool begins : {true, false})
    ASSERT_TRUE(store_->RecordServing("arm", 1, "robot-7", begins).ok());
  Push("arm", 1);
  EXPECT_EQ(*store_->Revision(), before);
  EXPECT_EQ(store_->FindModel("arm")->updated_ns, model.updated_ns);
  EXPECT_EQ(store_->Find("arm", "1")->updated_ns, model.updated_ns);
  EXPECT_EQ(store_->History("arm", 0, 100)->size(), 4U) << "created, pushed, serving, served";
  ASSERT_TRUE(store_->SetAlias("arm", "champion", 1, "ann").ok());
  EXPECT_NE(*store_->Revision(), before);
}

TEST_P(StoreTest, NumbersAreNeverGivenTwice) {
  Push("arm", 1);
  Push("arm", 2);
  ASSERT_TRUE(store_->DeleteVersion("arm", 2, "ann").ok());
  EXPECT_EQ(Push("arm", 2).number, 3);  // the same bytes, after a deletion
  const std::string package = SmallPackage(4);
  PushRequest request{.model = "arm", .package = package, .who = "ann"};
  request.number = 2;
  EXPECT_EQ(store_->Push(request).status().code(), StatusCode::kFailedPrecondition);
  request.number = 10;
  EXPECT_EQ(store_->Push(request)->version.number, 10);
  EXPECT_EQ(Push("arm", 5).number, 11);
}

TEST_P(StoreTest, WritersAtOnceGetNumbersOfTheirOwn) {
  constexpr int kWriters = 6;
  std::vector<std::thread> threads;
  for (int i = 0; i < kWriters; ++i)
    threads.emplace_back([this, i] { Push("arm", static_cast<uint64_t>(100 + i % 3)); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(Numbers({}), UnorderedElementsAre(1, 2, 3));  // three packages, each pushed twice
}

TEST_P(StoreTest, ModelsAreMadeRenamedDescribedAndDeleted) {
  ASSERT_TRUE(store_->CreateModel("arm", "an arm", "ann").ok());
  EXPECT_EQ(store_->CreateModel("arm", "", "ann").code(), StatusCode::kAlreadyExists);
  ASSERT_TRUE(store_->SetTag("arm", 0, {"site", "zurich"}, "ann").ok());
  Push("arm", 1);
  ASSERT_TRUE(store_->CreateModel("leg", "", "ann").ok());
  EXPECT_EQ(store_->RenameModel("arm", "leg", "ann").code(), StatusCode::kAlreadyExists);
  ASSERT_TRUE(store_->RenameModel("arm", "hand", "ann").ok());
  EXPECT_EQ(store_->Find("hand", "1")->model, "hand");
  EXPECT_EQ(store_->FindModel("hand")->description, "an arm");
  EXPECT_EQ(store_->FindModel("hand")->tags.at(0).value, "zurich");
  ASSERT_TRUE(store_->DeleteModel("hand", "ann").ok());
  EXPECT_EQ(store_->Find("hand", "1").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(Kinds("hand").front(), "deleted");  // its history stays
  EXPECT_EQ(Push("hand", 1).number, 1);         // another model of that name
}

TEST_P(StoreTest, SearchTakesEveryConditionAsAValue) {
  for (uint64_t i = 1; i <= 5; ++i) {
    now_ = 1'000 * static_cast<int64_t>(i);
    Push(i == 5 ? "Leg_1" : "arm", i);
  }
  ASSERT_TRUE(store_->SetTag("arm", 2, {"good", "yes"}, "ann").ok());
  using F = Condition::Field;
  using O = Condition::Op;
  EXPECT_THAT(Numbers({.where = {{F::kName, O::kEqual, "", {"arm"}}}}), ElementsAre(4, 3, 2, 1));
  EXPECT_THAT(Numbers({.where = {{F::kName, O::kLike, "", {"%r%"}}}, .limit = 2}),
              ElementsAre(4, 3));
  EXPECT_THAT(Numbers({.where = {{F::kName, O::kLike, "", {"%l%"}}}}), ElementsAre());
  EXPECT_THAT(Numbers({.where = {{F::kName, O::kLikeAnyCase, "", {"%leg%"}}}}), ElementsAre(1));
  EXPECT_THAT(Numbers({.where = {{F::kTag, O::kEqual, "good", {"yes"}}}}), ElementsAre(2));
  EXPECT_THAT(Numbers({.where = {{F::kTag, O::kNotEqual, "good", {"yes"}},
                                 {F::kName, O::kEqual, "", {"arm"}}}}),
              ElementsAre(4, 3, 1));
  EXPECT_THAT(Numbers({.where = {{F::kNumber, O::kIn, "", {"1", "3"}},
                                 {F::kName, O::kEqual, "", {"arm"}}}}),
              ElementsAre(3, 1));
  EXPECT_THAT(Numbers({.where = {{F::kName, O::kEqual, "", {"arm' OR '1'='1"}}}}), ElementsAre());
  EXPECT_THAT(Numbers({.where = {{F::kName, O::kEqual, "", {"arm"}}},
                       .order = {{Order::By::kCreated, false}},
                       .offset = 1,
                       .limit = 2}),
              ElementsAre(2, 3));
  EXPECT_FALSE(store_->ListVersions({.where = {{F::kNumber, O::kEqual, "", {"x"}}}}).ok());
  EXPECT_FALSE(store_->ListVersions({.limit = 100'000}).ok());
  EXPECT_EQ(store_->ListModels({.where = {{F::kName, O::kLike, "", {"a%"}}}})->size(), 1U);
}

TEST_P(StoreTest, ApprovalNeedsAnotherPersonEachTime) {
  Push("arm", 1, "ann");
  EXPECT_EQ(store_->Approve("arm", 1, "ann", "").code(), StatusCode::kFailedPrecondition);
  ASSERT_TRUE(store_->Approve("arm", 1, "bob", "drove it").ok());
  EXPECT_EQ(store_->Approve("arm", 1, "bob", "").code(), StatusCode::kAlreadyExists);
  ASSERT_TRUE(store_->Approve("arm", 1, "eve", "").ok());
  const auto approvals = store_->Approvals("arm", 1);
  ASSERT_EQ(approvals->size(), 2U);
  EXPECT_EQ(approvals->at(0).digest, store_->Find("arm", "1")->digest);
  EXPECT_EQ(store_->Approve("arm", 2, "bob", "").code(), StatusCode::kNotFound);
}

TEST_P(StoreTest, QuarantineBlocksTheBytesEverywhereUntilTheyAreReleased) {
  const Version bad = Push("arm", 1);
  Push("arm", 2);
  ASSERT_TRUE(store_->Quarantine(bad.digest, "hit a wall", "bob").ok());
  EXPECT_TRUE(store_->Find("arm", "1")->quarantined);
  EXPECT_EQ(store_->Find("arm", "1")->quarantine_reason, "hit a wall");
  EXPECT_FALSE(store_->Find("arm", "2")->quarantined);
  EXPECT_EQ(store_->SetAlias("arm", "champion", 1, "ann").code(), StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Push("leg", 1).quarantined);  // the same bytes under another name
  EXPECT_FALSE(store_->Quarantine(bad.digest, "", "bob").ok());
  ASSERT_TRUE(store_->Release(bad.digest, "sensor fault, not the policy", "eve").ok());
  EXPECT_EQ(store_->Release(bad.digest, "again", "eve").code(), StatusCode::kNotFound);
  EXPECT_TRUE(store_->SetAlias("arm", "champion", 1, "ann").ok());
  EXPECT_THAT(Kinds("arm", 1), ElementsAre("alias", "released", "quarantined", "pushed"));
}

TEST_P(StoreTest, TheCollectorTakesOnlyWhatItPutAndNobodyRefersTo) {
  const Version kept = Push("arm", 1), gone = Push("arm", 2);
  const std::string foreign = *objects_->Put("a backup of another room");
  ASSERT_TRUE(store_->DeleteVersion("arm", 2, "ann").ok());
  EXPECT_TRUE(store_->CollectGarbage(now_, true)->digests.empty());  // too young
  const auto dry = store_->CollectGarbage(now_ + 1, false);
  EXPECT_THAT(dry->digests, ElementsAre(gone.digest));
  EXPECT_GT(dry->bytes, 0);
  EXPECT_TRUE(*objects_->Has(gone.digest));
  EXPECT_THAT(store_->CollectGarbage(now_ + 1, true)->digests, ElementsAre(gone.digest));
  EXPECT_FALSE(*objects_->Has(gone.digest));
  EXPECT_TRUE(*objects_->Has(kept.digest));
  EXPECT_TRUE(*objects_->Has(foreign));
  EXPECT_EQ(Push("arm", 2).number, 3);
  EXPECT_TRUE(*objects_->Has(gone.digest));
}

TEST_P(StoreTest, ACollectorThatDiedHalfwayLosesNothing) {
  const Version gone = Push("arm", 2);
  ASSERT_TRUE(store_->DeleteVersion("arm", 2 - 1, "ann").ok());
  ASSERT_TRUE(database_->Execute("UPDATE registry_objects SET collecting = 1").ok());
  const std::string package = SmallPackage(2);
  EXPECT_EQ(store_->Push({.model = "arm", .package = package, .who = "ann"}).status().code(),
            StatusCode::kUnavailable);
  EXPECT_THAT(store_->CollectGarbage(now_ + 1, true)->digests, ElementsAre(gone.digest));
  EXPECT_EQ(Push("arm", 2).number, 2);
}

TEST_P(StoreTest, ALookupReadsThroughIndexesAlone) {
  Push("arm", 1);
  ASSERT_TRUE(store_->SetAlias("arm", "champion", 1, "ann").ok());
  if (database_->kind() != "sqlite") {
    // With few rows PostgreSQL reads whole tables by choice; the unique keys are what it needs.
    const auto keys = database_->Query(
        "SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'registry%' AND indexdef LIKE "
        "'%UNIQUE%'");
    std::string all;
    for (const storage::Row& row : keys->rows) all += storage::AsText(row[0]);
    for (const char* columns : {"registry_models USING btree (name)", "(model_id, number)",
                                "(model_id, live_digest)", "(model_id, alias)"})
      EXPECT_THAT(all, HasSubstr(columns));
    return;
  }
  for (const char* where :
       {"WHERE m.name = 'arm' AND v.number = 1 AND v.live_digest IS NOT NULL",
        "JOIN registry_aliases a ON a.model_id = m.id AND a.alias = 'x' AND a.number = v.number "
        "WHERE m.name = 'arm'"}) {
    const auto plan = database_->Query(Cat("EXPLAIN QUERY PLAN ", kSelectVersion, where));
    ASSERT_TRUE(plan.ok()) << plan.status();
    for (const storage::Row& row : plan->rows) {
      EXPECT_THAT(storage::AsText(row[3]), ::testing::Not(HasSubstr("SCAN"))) << where;
    }
  }
}

}  // namespace
}  // namespace saferl::registry
