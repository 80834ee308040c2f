// What Database promises, shown for both adapters.
#include "saferl/storage/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <limits>
#include <thread>

#include "saferl/base/text.h"
#include "saferl/storage/testing/test_database.h"

namespace saferl::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class DatabaseTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(Open());
    ASSERT_EQ(Run("CREATE TABLE robots (id bigint PRIMARY KEY, name text NOT NULL UNIQUE, "
                  "size double precision, image bytea, CHECK (id >= 0))"),
              absl::OkStatus());
    ASSERT_EQ(Run("CREATE TABLE runs (id bigint PRIMARY KEY, "
                  "robot bigint NOT NULL REFERENCES robots (id))"),
              absl::OkStatus());
  }
  void Open() {
    database_.reset();
    auto opened = test_.Open();
    ASSERT_TRUE(opened.ok()) << opened.status();
    database_ = *std::move(opened);
  }
  Status Run(std::string_view sql, std::initializer_list<Value> parameters = {}) {
    return database_->Execute(sql, parameters).status();
  }
  absl::StatusCode Code(std::string_view sql, std::initializer_list<Value> parameters = {}) {
    return Run(sql, parameters).code();
  }
  Status AddRobot(int64_t id, const std::string& name) {
    return Run("INSERT INTO robots (id, name) VALUES ($1, $2)", {id, name});
  }
  Value One(std::string_view sql, std::initializer_list<Value> parameters = {}) {
    const StatusOr<Rows> rows = database_->Query(sql, parameters);
    EXPECT_TRUE(rows.ok()) << rows.status();
    if (!rows.ok() || rows->rows.size() != 1) return {};
    return rows->rows[0][0];
  }

  testing::TestDatabase test_{GetParam()};
  std::unique_ptr<Database> database_;
};

INSTANTIATE_TEST_SUITE_P(Adapters, DatabaseTest, ::testing::Values("sqlite", "postgresql"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST_P(DatabaseTest, NamesItsKind) { EXPECT_EQ(database_->kind(), GetParam()); }

TEST_P(DatabaseTest, ValuesComeBackAsTheyWent) {
  ASSERT_EQ(Run("CREATE TABLE kept (i bigint, d double precision, t text, b bytea)"),
            absl::OkStatus());
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  const Row rows[] = {
      {std::numeric_limits<int64_t>::max(), 0.1, std::string("Zürich \xF0\x9F\xA6\xBE"),
       Blob{bytes}},
      {std::numeric_limits<int64_t>::min(), -5e-324, std::string("'; \"$1\" \\ %"), Blob{""}},
      {int64_t{0}, std::numeric_limits<double>::infinity(), std::string(),
       Blob{std::string(3, '\0')}},
      {int64_t{-1}, 1.7976931348623157e308, std::string("123"), Blob{"123"}},
      {Value(), Value(), Value(), Value()},
  };
  for (const Row& row : rows) {
    ASSERT_TRUE(database_
                    ->Execute("INSERT INTO kept (i, d, t, b) VALUES ($1, $2, $3, $4)",
                              std::span<const Value>(row))
                    .ok());
  }
  const StatusOr<Rows> back = database_->Query("SELECT i, d, t, b FROM kept ORDER BY i");
  ASSERT_TRUE(back.ok()) << back.status();
  ASSERT_EQ(back->rows.size(), 5u);
  for (const Row& row : rows) EXPECT_THAT(back->rows, ::testing::Contains(row));
}

TEST_P(DatabaseTest, ReadsWhatSqlComputes) {
  ASSERT_EQ(AddRobot(1, "a"), absl::OkStatus());
  ASSERT_EQ(AddRobot(2, "b"), absl::OkStatus());
  EXPECT_EQ(AsInt(One("SELECT count(*) FROM robots")), 2);
  EXPECT_EQ(AsInt(One("SELECT sum(id) FROM robots")), 3);
  EXPECT_DOUBLE_EQ(AsDouble(One("SELECT avg(id) FROM robots")), 1.5);
  EXPECT_EQ(AsInt(One("SELECT count(*) = 2 FROM robots")), 1);
  EXPECT_EQ(AsInt(One("SELECT max(id) FROM robots WHERE name LIKE 'A%'")), 0);
  EXPECT_TRUE(IsNull(One("SELECT max(id) FROM robots WHERE id > 5")));
  EXPECT_EQ(AsInt(One("SELECT CAST($1 AS bigint) + 1", {41})), 42);
}

TEST_P(DatabaseTest, OrdersTextByItsBytes) {
  for (const char* name : {"b", "B", "a", "é", "Z"}) {
    ASSERT_EQ(AddRobot(AsInt(One("SELECT count(*) FROM robots")), name), absl::OkStatus());
  }
  const StatusOr<Rows> rows =
      database_->Query("SELECT name FROM robots ORDER BY name COLLATE \"C\"");
  ASSERT_TRUE(rows.ok()) << rows.status();
  std::vector<std::string> names;
  for (const Row& row : rows->rows) names.push_back(AsText(row[0]));
  EXPECT_THAT(names, ElementsAre("B", "Z", "a", "b", "é"));
}

TEST_P(DatabaseTest, TypedAccessNeverFails) {
  EXPECT_EQ(AsInt(Value()), 0);
  EXPECT_EQ(AsInt(Value(2.75)), 2);
  EXPECT_EQ(AsInt(Value(1e300)), 0);
  EXPECT_EQ(AsDouble(Value(int64_t{3})), 3.0);
  EXPECT_EQ(AsText(Value(int64_t{3})), "");
  EXPECT_EQ(AsText(Value(Blob{"x"})), "");
  EXPECT_EQ(AsBlob(Value(Blob{"x"})), "x");
}

TEST_P(DatabaseTest, RefusesWhatCannotBeKept) {
  const Status nul = AddRobot(1, std::string("a\0b", 3));
  EXPECT_TRUE(absl::IsInvalidArgument(nul));
  EXPECT_THAT(nul.message(), HasSubstr("parameter $2"));
  for (const char* bytes : {"\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "a\xFF", "\xE2\x82"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(AddRobot(1, bytes)));
  }
  EXPECT_EQ(Code("INSERT INTO robots (id, name, size) VALUES (1, 'a', $1)",
                 {std::numeric_limits<double>::quiet_NaN()}),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(AsInt(One("SELECT count(*) FROM robots")), 0);
}

TEST_P(DatabaseTest, NamesTheRuleThatARowBreaks) {
  ASSERT_EQ(AddRobot(1, "a"), absl::OkStatus());
  EXPECT_EQ(AddRobot(1, "b").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(AddRobot(2, "a").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(AddRobot(-1, "c").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Code("INSERT INTO robots (id, name) VALUES (3, $1)", {Value()}),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Code("INSERT INTO runs (id, robot) VALUES (1, 9)"),
            absl::StatusCode::kFailedPrecondition);
  ASSERT_EQ(Run("INSERT INTO runs (id, robot) VALUES (1, 1)"), absl::OkStatus());
  EXPECT_EQ(Code("DELETE FROM robots WHERE id = 1"), absl::StatusCode::kFailedPrecondition);
}

TEST_P(DatabaseTest, RefusesWrongStatements) {
  for (const char* sql :
       {"SELEC 1", "SELECT * FROM missing", "SELECT missing FROM robots", "", "SELECT 1; SELECT 2",
        "INSERT INTO robots (id, name) VALUES (1, \"a\")"}) {
    const StatusOr<Rows> rows = database_->Query(sql);
    EXPECT_TRUE(absl::IsInvalidArgument(rows.status())) << sql << ": " << rows.status();
  }
  EXPECT_EQ(Code("SELECT $1", {1, 2}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Code("SELECT id FROM robots WHERE id = $1"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(database_->Query("DELETE FROM robots").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(database_->Check(), absl::OkStatus());
}

TEST_P(DatabaseTest, SaysHowManyRowsChanged) {
  const StatusOr<Rows> added = database_->Execute(
      "INSERT INTO robots (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c') RETURNING id");
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(added->changed, 3);
  EXPECT_EQ(added->rows.size(), 3u);
  const StatusOr<Rows> updated =
      database_->Execute("UPDATE robots SET size = $1 WHERE id > 1", {2.5});
  ASSERT_TRUE(updated.ok());
  EXPECT_EQ(updated->changed, 2);
  const StatusOr<Rows> nothing = database_->Execute(
      "INSERT INTO robots (id, name) VALUES (1, 'z') ON CONFLICT (id) DO NOTHING");
  ASSERT_TRUE(nothing.ok()) << nothing.status();
  EXPECT_EQ(nothing->changed, 0);
  const StatusOr<Rows> upsert = database_->Execute(
      "INSERT INTO robots (id, name) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = "
      "excluded.name RETURNING name",
      {1, "z"});
  ASSERT_TRUE(upsert.ok()) << upsert.status();
  EXPECT_EQ(upsert->changed, 1);
  EXPECT_EQ(AsText(upsert->rows[0][0]), "z");
  EXPECT_EQ(database_->Query("SELECT id FROM robots")->changed, 0);
}

TEST_P(DatabaseTest, HostileTextIsOnlyText) {
  const std::string hostile[] = {
      "'; DROP TABLE robots; --", "\" OR 1=1 --", "$1",
      "\\'; DELETE FROM robots",  "%_%",          "Robert'); DROP TABLE robots;--",
      "\xE2\x80\x99 OR '1'='1"};
  int64_t id = 0;
  for (const std::string& text : hostile) {
    ASSERT_EQ(AddRobot(++id, text), absl::OkStatus());
    EXPECT_EQ(AsInt(One("SELECT id FROM robots WHERE name = $1", {text})), id);
  }
  EXPECT_EQ(AsInt(One("SELECT count(*) FROM robots")), id);
}

TEST_P(DatabaseTest, ATransactionIsAllOrNothing) {
  const Status refused = database_->Transact([](Transaction& t) -> Status {
    SAFERL_RETURN_IF_ERROR(t.Execute("INSERT INTO robots (id, name) VALUES (1, 'a')").status());
    return absl::PermissionDeniedError("not today");
  });
  EXPECT_EQ(refused, absl::PermissionDeniedError("not today"));
  EXPECT_EQ(AsInt(One("SELECT count(*) FROM robots")), 0);
  ASSERT_EQ(database_->Transact([](Transaction& t) -> Status {
    SAFERL_RETURN_IF_ERROR(t.Execute("INSERT INTO robots (id, name) VALUES (1, 'a')").status());
    return t.Execute("INSERT INTO runs (id, robot) VALUES (7, 1)").status();
  }),
            absl::OkStatus());
  EXPECT_EQ(AsInt(One("SELECT robot FROM runs WHERE id = 7")), 1);
}

TEST_P(DatabaseTest, AFailedStatementLosesTheTransaction) {
  ASSERT_EQ(AddRobot(1, "a"), absl::OkStatus());
  const Status lost = database_->Transact([](Transaction& t) -> Status {
    SAFERL_RETURN_IF_ERROR(t.Execute("INSERT INTO robots (id, name) VALUES (2, 'b')").status());
    const Status clash = t.Execute("INSERT INTO robots (id, name) VALUES (1, 'c')").status();
    EXPECT_TRUE(absl::IsAlreadyExists(clash));
    EXPECT_EQ(t.Execute("INSERT INTO robots (id, name) VALUES (3, 'd')").status(), clash);
    return absl::OkStatus();  // the body overlooks it: the database does not
  });
  EXPECT_TRUE(absl::IsAlreadyExists(lost));
  EXPECT_EQ(AsInt(One("SELECT count(*) FROM robots")), 1);
}

TEST_P(DatabaseTest, ManyRowsInOneBatch) {
  std::vector<Row> rows;
  for (int64_t i = 0; i < 2500; ++i) rows.push_back({i, Cat("robot ", i)});
  int64_t changed = 0;
  const auto insert = [&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(changed,
                            t.ExecuteBatch("INSERT INTO robots (id, name) VALUES ($1, $2)", rows));
    return absl::OkStatus();
  };
  ASSERT_EQ(database_->Transact(insert), absl::OkStatus());
  EXPECT_EQ(changed, 2500);
  EXPECT_EQ(AsInt(One("SELECT count(*) FROM robots")), 2500);
  for (Row& row : rows) row = {AsInt(row[0]) + 2499, Cat("again ", AsInt(row[0]))};
  EXPECT_TRUE(absl::IsAlreadyExists(database_->Transact(insert)));
  EXPECT_EQ(AsInt(One("SELECT count(*) FROM robots")), 2500);
}

TEST_P(DatabaseTest, TransactionsBelongToTheAdapter) {
  for (const char* sql : {"COMMIT", " -- so\n/* it */ savepoint mine", "BEGIN", "ROLLBACK"}) {
    const Status refused =
        database_->Transact([&](Transaction& t) -> Status { return t.Execute(sql).status(); });
    EXPECT_TRUE(absl::IsInvalidArgument(refused)) << sql << refused;
    EXPECT_EQ(database_->Check(), absl::OkStatus()) << sql;
  }
}

TEST_P(DatabaseTest, CountsExactlyUnderEightThreads) {
  constexpr int kThreads = 8, kEach = 25;
  ASSERT_EQ(AddRobot(0, "counter"), absl::OkStatus());
  ASSERT_EQ(Run("UPDATE robots SET size = 0 WHERE id = 0"), absl::OkStatus());
  std::atomic<int> done = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        // Reads, then writes what it read plus one: exact only where both are one step.
        const auto add = [](Transaction& transaction) -> Status {
          SAFERL_ASSIGN_OR_RETURN(const Rows rows,
                                  transaction.Execute("SELECT size FROM robots WHERE id = 0"));
          return transaction
              .Execute("UPDATE robots SET size = $1 WHERE id = 0", {AsDouble(rows.rows[0][0]) + 1})
              .status();
        };
        Status status;
        do {
          status = database_->Transact(add);
        } while (absl::IsAborted(status) || absl::IsUnavailable(status));
        EXPECT_EQ(status, absl::OkStatus());
        done += status.ok() ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, kThreads * kEach);
  EXPECT_DOUBLE_EQ(AsDouble(One("SELECT size FROM robots WHERE id = 0")), kThreads * kEach);
}

TEST_P(DatabaseTest, OneFailureOfAGroupLeavesTheOthers) {
  constexpr int kThreads = 16;
  ASSERT_EQ(AddRobot(1000, "taken"), absl::OkStatus());
  std::latch start(kThreads);
  std::vector<std::thread> threads;
  std::vector<Status> results(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      start.arrive_and_wait();
      results[static_cast<size_t>(t)] =
          t % 2 == 0 ? AddRobot(t, Cat("robot ", t)) : AddRobot(t, "taken");
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < kThreads; ++t) {
    EXPECT_EQ(results[static_cast<size_t>(t)].code(),
              t % 2 == 0 ? absl::StatusCode::kOk : absl::StatusCode::kAlreadyExists);
  }
  EXPECT_EQ(AsInt(One("SELECT count(*) FROM robots")), 1 + kThreads / 2);
}

TEST_P(DatabaseTest, AnAcknowledgedWriteIsReadByTheNextCall) {
  for (int64_t i = 0; i < 50; ++i) {
    ASSERT_EQ(AddRobot(i, Cat(i)), absl::OkStatus());
    ASSERT_EQ(AsInt(One("SELECT max(id) FROM robots")), i);
  }
}

TEST_P(DatabaseTest, AReaderDoesNotWaitForAWriter) {
  ASSERT_EQ(AddRobot(1, "a"), absl::OkStatus());
  std::latch written(1), read(1);
  std::thread writer([&] {
    EXPECT_EQ(database_->Transact([&](Transaction& t) -> Status {
      SAFERL_RETURN_IF_ERROR(t.Execute("UPDATE robots SET name = 'b' WHERE id = 1").status());
      written.count_down();
      read.wait();  // the write is open until the read below is through
      return absl::OkStatus();
    }),
              absl::OkStatus());
  });
  written.wait();
  EXPECT_EQ(AsText(One("SELECT name FROM robots WHERE id = 1")), "a");
  read.count_down();
  writer.join();
  EXPECT_EQ(AsText(One("SELECT name FROM robots WHERE id = 1")), "b");
}

TEST_P(DatabaseTest, KeepsLargeValues) {
  std::string bytes(16 << 20, 'x');
  for (size_t i = 0; i < bytes.size(); i += 4099) bytes[i] = static_cast<char>(i);
  ASSERT_EQ(Run("INSERT INTO robots (id, name, image) VALUES (1, 'big', $1)", {Blob{bytes}}),
            absl::OkStatus());
  EXPECT_EQ(AsBlob(One("SELECT image FROM robots WHERE id = 1")), bytes);
}

TEST_P(DatabaseTest, KeepsWhatItHasWhenOpenedAgain) {
  ASSERT_EQ(AddRobot(1, "a"), absl::OkStatus());
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_EQ(AsText(One("SELECT name FROM robots WHERE id = 1")), "a");
  // Two programs at once: both see and write.
  auto second = test_.Open();
  ASSERT_TRUE(second.ok()) << second.status();
  ASSERT_TRUE((*second)->Execute("INSERT INTO robots (id, name) VALUES (2, 'b')").ok());
  ASSERT_EQ(AddRobot(3, "c"), absl::OkStatus());
  EXPECT_EQ(AsInt((*second)->Query("SELECT count(*) FROM robots")->rows[0][0]), 3);
  EXPECT_EQ(AsInt(One("SELECT count(*) FROM robots")), 3);
}

TEST_P(DatabaseTest, ChecksItself) {
  ASSERT_EQ(AddRobot(1, "a"), absl::OkStatus());
  EXPECT_EQ(database_->Check(), absl::OkStatus());
  EXPECT_EQ(database_->CheckIntegrity(), absl::OkStatus());
}

TEST_P(DatabaseTest, MessagesShowNoParameter) {
  ASSERT_EQ(AddRobot(1, "hidden-value"), absl::OkStatus());
  EXPECT_THAT(std::string(AddRobot(2, "hidden-value").message()), Not(HasSubstr("hidden-value")));
}

TEST(OpenDatabase, RefusesWrongOptionsWithoutRepeatingThem) {
  const DatabaseOptions wrong[] = {{.url = "mysql://u:hunter2@h/d"},
                                   {.url = "postgresql://u:hunter2@[h/d"},
                                   {.url = "postgresql://u:hunter2@h/d?nonsense=1"},
                                   {.url = "sqlite:"},
                                   {.url = "sqlite:x.db", .pool = 0},
                                   {.url = "sqlite:x.db", .wait_s = 0}};
  for (const DatabaseOptions& options : wrong) {
    const Status status = OpenDatabase(options).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << options.url << status;
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("hunter2")));
  }
}

}  // namespace
}  // namespace saferl::storage
