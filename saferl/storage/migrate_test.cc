// Numbered migrations, on both adapters.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "saferl/storage/testing/test_database.h"

namespace saferl::storage {
namespace {

using ::testing::HasSubstr;

constexpr Migration kFirst = {1, "robots",
                              "CREATE TABLE robots (id bigint PRIMARY KEY, name text);\n"
                              "INSERT INTO robots (id, name) VALUES (1, 'a; b');\n"};
constexpr Migration kExpand = {2, "serial", "ALTER TABLE robots ADD COLUMN serial text"};
constexpr Migration kContract = {3, "no name", "ALTER TABLE robots DROP COLUMN name", 2};

class MigrateTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto opened = test_.Open();
    ASSERT_TRUE(opened.ok()) << opened.status();
    database_ = *std::move(opened);
  }
  Status Run(std::vector<Migration> migrations) {
    return Migrate("fleet", migrations, database_.get());
  }
  int64_t Count(std::string_view sql) { return AsInt(database_->Query(sql)->rows[0][0]); }

  testing::TestDatabase test_{GetParam()};
  std::unique_ptr<Database> database_;
};

INSTANTIATE_TEST_SUITE_P(Adapters, MigrateTest, ::testing::Values("sqlite", "postgresql"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST_P(MigrateTest, AppliesEachOnce) {
  ASSERT_EQ(Run({kFirst}), absl::OkStatus());
  ASSERT_EQ(Run({kFirst}), absl::OkStatus());
  ASSERT_EQ(Run({kFirst, kExpand}), absl::OkStatus());
  EXPECT_EQ(Count("SELECT count(*) FROM robots"), 1);
  EXPECT_EQ(Count("SELECT count(*) FROM robots WHERE serial IS NULL"), 1);
  EXPECT_EQ(Count("SELECT count(*) FROM saferl_migrations WHERE component = 'fleet'"), 2);
}

TEST_P(MigrateTest, ComponentsDoNotMeet) {
  ASSERT_EQ(Run({kFirst}), absl::OkStatus());
  const Migration other[] = {{1, "users", "CREATE TABLE users (id bigint PRIMARY KEY)"}};
  ASSERT_EQ(Migrate("identity", other, database_.get()), absl::OkStatus());
  EXPECT_EQ(Count("SELECT count(*) FROM saferl_migrations"), 2);
}

TEST_P(MigrateTest, AFailureLeavesNothing) {
  const Status failed = Run({{1, "half", "CREATE TABLE good (id bigint);\nCREATE TABEL bad"}});
  EXPECT_TRUE(absl::IsInvalidArgument(failed)) << failed;
  EXPECT_THAT(std::string(failed.message()), HasSubstr("migration fleet 1 (half)"));
  EXPECT_FALSE(database_->Query("SELECT id FROM good").ok());
  ASSERT_EQ(Run({kFirst}), absl::OkStatus());
}

TEST_P(MigrateTest, RefusesAChangedTextAndAGap) {
  ASSERT_EQ(Run({kFirst, kExpand}), absl::OkStatus());
  Migration changed = kExpand;
  changed.sql = "ALTER TABLE robots ADD COLUMN serial bigint";
  const Status refused = Run({kFirst, changed});
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("fleet 2 (serial)"));
  ASSERT_TRUE(database_->Execute("DELETE FROM saferl_migrations WHERE number = 1").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Run({kFirst, kExpand})));
}

TEST_P(MigrateTest, RefusesAListOutOfOrder) {
  EXPECT_TRUE(absl::IsInvalidArgument(Run({kExpand})));
  EXPECT_TRUE(absl::IsInvalidArgument(Run({kFirst, kFirst})));
  EXPECT_TRUE(absl::IsInvalidArgument(Run({{1, "x", "SELECT 1", 1}})));
}

TEST_P(MigrateTest, TheProgramBeforeRunsOnTheSchemaAfter) {
  ASSERT_EQ(Run({kFirst, kExpand}), absl::OkStatus());
  // N-1 starts again beside N and still does its work.
  ASSERT_EQ(Run({kFirst}), absl::OkStatus());
  ASSERT_TRUE(database_->Execute("INSERT INTO robots (id, name) VALUES (2, 'old')").ok());
  ASSERT_TRUE(database_->Execute("INSERT INTO robots (id, serial) VALUES (3, 'new')").ok());
  // A release later the name goes: the program that uses it no longer starts, N does.
  ASSERT_EQ(Run({kFirst, kExpand, kContract}), absl::OkStatus());
  ASSERT_EQ(Run({kFirst, kExpand}), absl::OkStatus());
  const Status refused = Run({kFirst});
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("migration 3"));
}

TEST_P(MigrateTest, ProgramsThatStartAtOnceTakeTurns) {
  constexpr int kPrograms = 6;
  std::latch start(kPrograms);
  std::vector<std::thread> programs;
  std::vector<Status> results(kPrograms);
  for (int i = 0; i < kPrograms; ++i) {
    programs.emplace_back([&, i] {
      auto own = test_.Open();
      start.arrive_and_wait();
      const Migration all[] = {kFirst, kExpand};
      results[static_cast<size_t>(i)] = own.ok() ? Migrate("fleet", all, own->get()) : own.status();
    });
  }
  for (std::thread& program : programs) program.join();
  for (const Status& result : results) EXPECT_EQ(result, absl::OkStatus());
  EXPECT_EQ(Count("SELECT count(*) FROM robots"), 1);
}

}  // namespace
}  // namespace saferl::storage
