// What PostgreSQL does when its server is killed, stands still, comes back, asks for TLS or runs
// out of what it has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <set>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/storage/database.h"
#include "saferl/storage/testing/postgres_server.h"

namespace saferl::storage {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::PostgresServer;

class PostgresFaultTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = PostgresServer::Start({});
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = started->release();
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    const StatusOr<std::string> url = server_->NewDatabase();
    ASSERT_TRUE(url.ok()) << url.status();
    options_ = {.url = *url, .password = PostgresServer::kPassword, .wait_s = 30};
    ASSERT_NO_FATAL_FAILURE(Open());
    ASSERT_TRUE(database_->Execute("CREATE TABLE kept (id bigint PRIMARY KEY, n bigint)").ok());
  }
  void Open() {
    auto opened = OpenDatabase(options_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    database_ = *std::move(opened);
  }
  Status Add(int64_t id) {
    return database_->Execute("INSERT INTO kept (id, n) VALUES ($1, 0)", {id}).status();
  }
  /// Calls until one works. False after a minute.
  bool Recovers() {
    const Deadline deadline = Deadline::After(FromSeconds(60));
    while (!deadline.Passed()) {
      if (database_->Query("SELECT 1").ok()) return true;
      std::this_thread::yield();
    }
    return false;
  }

  static PostgresServer* server_;
  DatabaseOptions options_;
  std::unique_ptr<Database> database_;
};
PostgresServer* PostgresFaultTest::server_ = nullptr;

TEST_F(PostgresFaultTest, ARestartIsNotNoticedByTheNextCall) {
  ASSERT_EQ(Add(1), absl::OkStatus());
  server_->Stop();
  ASSERT_EQ(server_->Launch(), absl::OkStatus());
  EXPECT_EQ(Add(2), absl::OkStatus());
  EXPECT_EQ(AsInt(database_->Query("SELECT count(*) FROM kept")->rows[0][0]), 2);
}

TEST_F(PostgresFaultTest, KilledWhileWritingLosesNothingAcknowledged) {
  std::set<int64_t> acknowledged, unsure;
  std::mutex mutex;
  int64_t next = 0;
  for (int kill = 0; kill < 3; ++kill) {
    std::atomic<bool> stop = false;
    std::atomic<int> written = 0;
    std::vector<std::thread> writers;
    for (int t = 0; t < 4; ++t) {
      writers.emplace_back([&] {
        while (!stop) {
          int64_t id = 0;
          {
            const std::lock_guard lock(mutex);
            id = next++;
          }
          const Status status = Add(id);
          const std::lock_guard lock(mutex);
          if (status.ok()) {
            acknowledged.insert(id);
            ++written;
          } else if (absl::IsUnknown(status)) {
            unsure.insert(id);
          } else {
            EXPECT_TRUE(absl::IsUnavailable(status)) << status;
          }
        }
      });
    }
    while (written < 20) std::this_thread::yield();
    server_->Kill();
    stop = true;
    for (std::thread& writer : writers) writer.join();
    ASSERT_EQ(server_->Launch(), absl::OkStatus());
    ASSERT_TRUE(Recovers());
  }
  const StatusOr<Rows> rows = database_->Query("SELECT id FROM kept");
  ASSERT_TRUE(rows.ok()) << rows.status();
  std::set<int64_t> kept;
  for (const Row& row : rows->rows) kept.insert(AsInt(row[0]));
  for (const int64_t id : acknowledged) EXPECT_TRUE(kept.contains(id)) << id;
  for (const int64_t id : kept) EXPECT_TRUE(acknowledged.contains(id) || unsure.contains(id)) << id;
}

TEST_F(PostgresFaultTest, AwayTheBreakerAnswersAtOnceAndCloses) {
  server_->Kill();
  EXPECT_TRUE(absl::IsUnavailable(Add(1)));
  int64_t slowest_ns = 0;
  for (int i = 0; i < 200; ++i) {
    const int64_t from_ns = Nanos();
    EXPECT_TRUE(absl::IsUnavailable(Add(1)));
    slowest_ns = std::max(slowest_ns, Nanos() - from_ns);
  }
  EXPECT_LT(Seconds(slowest_ns), 5.0);  // far from the 30 s that a call may wait
  ASSERT_EQ(server_->Launch(), absl::OkStatus());
  const int64_t back_ns = Nanos();
  ASSERT_TRUE(Recovers());
  EXPECT_LT(Seconds(Nanos() - back_ns), 5.0);
  EXPECT_EQ(Add(1), absl::OkStatus());
}

TEST_F(PostgresFaultTest, StandingStillEveryCallEndsInItsTime) {
  options_.wait_s = options_.statement_s = 1;
  ASSERT_NO_FATAL_FAILURE(Open());
  server_->Pause();
  const int64_t from_ns = Nanos();
  const Status first = database_->Query("SELECT 1").status();
  // One statement and one wait, and the connection that is then tried.
  EXPECT_LT(Seconds(Nanos() - from_ns), 8);
  EXPECT_TRUE(absl::IsUnavailable(first)) << first;
  std::vector<std::thread> callers;
  std::vector<double> took_s(8);
  for (size_t i = 0; i < took_s.size(); ++i) {
    callers.emplace_back([&, i] {
      const int64_t began_ns = Nanos();
      const Status status = Add(static_cast<int64_t>(i));
      took_s[i] = Seconds(Nanos() - began_ns);
      EXPECT_FALSE(status.ok());
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const double s : took_s) EXPECT_LT(s, 8);
  server_->Resume();
  EXPECT_TRUE(Recovers());
}

TEST_F(PostgresFaultTest, AStatementThatTakesTooLongIsEnded) {
  options_.statement_s = 1;
  ASSERT_NO_FATAL_FAILURE(Open());
  const Status late = database_->Query("SELECT CAST(pg_sleep(30) AS text)").status();
  EXPECT_TRUE(absl::IsUnavailable(late)) << late;
  EXPECT_TRUE(database_->Query("SELECT 1").ok());
}

TEST_F(PostgresFaultTest, ThePoolWaitsNoLongerThanItSays) {
  options_.pool = 1;
  options_.wait_s = 1;
  auto small = OpenDatabase(options_);
  ASSERT_TRUE(small.ok());
  const Status outer = (*small)->Transact([&](Transaction&) -> Status {
    const Status inner = (*small)->Query("SELECT 1").status();
    EXPECT_TRUE(absl::IsUnavailable(inner)) << inner;
    return absl::OkStatus();
  });
  EXPECT_EQ(outer, absl::OkStatus());
}

TEST_F(PostgresFaultTest, AConflictRunsTheBodyAgain) {
  ASSERT_EQ(Add(1), absl::OkStatus());
  ASSERT_EQ(Add(2), absl::OkStatus());
  int runs = 0;
  // Write skew: each reads what the other writes. Only one order is serializable.
  ASSERT_EQ(database_->Transact([&](Transaction& t) -> Status {
    ++runs;
    SAFERL_RETURN_IF_ERROR(t.Execute("SELECT sum(n) FROM kept").status());
    if (runs == 1) {
      EXPECT_EQ(database_->Transact([](Transaction& other) -> Status {
        SAFERL_RETURN_IF_ERROR(other.Execute("SELECT sum(n) FROM kept").status());
        return other.Execute("UPDATE kept SET n = n + 1 WHERE id = 2").status();
      }),
                absl::OkStatus());
    }
    return t.Execute("UPDATE kept SET n = n + 1 WHERE id = 1").status();
  }),
            absl::OkStatus());
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(AsInt(database_->Query("SELECT sum(n) FROM kept")->rows[0][0]), 2);
}

TEST_F(PostgresFaultTest, AStatementIsPreparedAnewAfterItsTableChanged) {
  ASSERT_EQ(Add(1), absl::OkStatus());
  ASSERT_TRUE(database_->Query("SELECT * FROM kept").ok());
  auto other = OpenDatabase(options_);
  ASSERT_TRUE((*other)->Execute("ALTER TABLE kept ADD COLUMN more text").ok());
  const StatusOr<Rows> rows = database_->Query("SELECT * FROM kept");
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->rows[0].size(), 3u);
}

TEST_F(PostgresFaultTest, AWrongPasswordIsSaidAndNotRepeated) {
  options_.password = "wrong-and-secret";
  const Status refused = OpenDatabase(options_).status();
  EXPECT_TRUE(absl::IsPermissionDenied(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), Not(HasSubstr("wrong-and-secret")));
  options_.password = PostgresServer::kPassword;
  options_.url = server_->Url("no_such_database");
  EXPECT_TRUE(absl::IsNotFound(OpenDatabase(options_).status()));
}

TEST_F(PostgresFaultTest, NobodyListensIsUnavailable) {
  options_.url = "postgresql://saferl@127.0.0.1:1/x";
  const Status away = OpenDatabase(options_).status();
  EXPECT_TRUE(absl::IsUnavailable(away)) << away;
}

TEST(PostgresTls, IsWhatTheUriAsksFor) {
  auto server = PostgresServer::Start({.tls = true});
  ASSERT_TRUE(server.ok()) << server.status();
  DatabaseOptions options{.password = PostgresServer::kPassword, .wait_s = 30};
  options.url =
      (*server)->Url("postgres", Cat("?sslmode=verify-full&sslrootcert=", (*server)->ca_file()));
  auto verified = OpenDatabase(options);
  ASSERT_TRUE(verified.ok()) << verified.status();
  const StatusOr<Rows> used =
      (*verified)->Query("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
  ASSERT_TRUE(used.ok()) << used.status();
  EXPECT_EQ(AsText(used->rows[0][0]), "TLSv1.3");
  // Another authority is refused.
  auto other = PostgresServer::Start({.tls = true});
  ASSERT_TRUE(other.ok()) << other.status();
  options.url =
      (*server)->Url("postgres", Cat("?sslmode=verify-full&sslrootcert=", (*other)->ca_file()));
  const Status refused = OpenDatabase(options).status();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("certificate"));
}

}  // namespace
}  // namespace saferl::storage
