// A latched stop of a network session outlives its process, and only its acknowledgement ends it.
#include "saferl/services/decide/latch_store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "saferl/base/text.h"
#include "saferl/control/workload.h"
#include "saferl/services/decide/decide_service.h"
#include "saferl/storage/testing/test_database.h"

namespace saferl::services {
namespace {

using safety::Mode;
using safety::Reason;

/// One process's worth of the service, on the test's database.
struct Process {
  explicit Process(const storage::DatabaseOptions& options) {
    auto opened = storage::OpenDatabase(options);
    if (!opened.ok()) return;
    database = *std::move(opened);
    auto made = DecideService::Open({}, &models, database.get(), &metrics);
    if (made.ok()) service = *std::move(made);
  }
  telemetry::Metrics metrics;
  ModelHost models{&metrics, 1 << 20};
  std::unique_ptr<storage::Database> database;
  std::unique_ptr<DecideService> service;
};

class LatchStoreTest : public testing::TestWithParam<const char*> {
 protected:
  LatchStoreTest() : database_(GetParam()) {}
  void SetUp() override { ASSERT_TRUE(database_.status().ok()) << database_.status(); }

  /// One tick of the robot with the person's two buttons.
  safety::Command Tick(Sessions* sessions, bool stop = false, bool acknowledge = false) {
    DecideRequest request;
    request.robot = "r1";
    request.type = "wheelchair";
    request.input = workload_.Next();
    request.input.human.stop = stop;
    request.input.human.acknowledge = acknowledge;
    request.counts = {3, 2, -1, 2, -1};
    const auto decided = sessions->Decide(request);
    if (!decided.ok()) return {};
    return (*decided)->decision.command;
  }
  std::string Rows() {
    auto database = database_.Open();
    if (!database.ok()) return Cat(database.status().message());
    const auto rows = (*database)->Query("SELECT robot, reason FROM latched_stops");
    if (!rows.ok()) return Cat(rows.status().message());
    std::string text;
    for (const auto& row : rows->rows)
      text += Cat(storage::AsText(row[0]), "=",
                  safety::Name(static_cast<Reason>(storage::AsInt(row[1]))), ";");
    return text;
  }

  storage::testing::TestDatabase database_;
  control::Workload workload_{(*safety::LoadSafetyModel("wheelchair"))->robot};
};
INSTANTIATE_TEST_SUITE_P(Adapters, LatchStoreTest, testing::Values("sqlite", "postgresql"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST_P(LatchStoreTest, AStopOutlivesKillAndEndsOnlyByItsAcknowledgement) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Process process(database_.options());
    if (process.service == nullptr) _exit(1);
    Tick(&process.service->sessions());
    if (Tick(&process.service->sessions(), true).mode != Mode::kProtectiveStop) _exit(1);
    process.service->latches().Flush();
    if (write(ready[1], "x", 1) != 1) _exit(1);
    pause();
    _exit(1);
  }
  close(ready[1]);
  char byte = 0;
  const bool stopped = read(ready[0], &byte, 1) == 1;
  close(ready[0]);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  ASSERT_TRUE(stopped);
  for (int restart = 0; restart < 2; ++restart) {  // the second: a restart alone clears nothing
    Process process(database_.options());
    ASSERT_NE(process.service, nullptr);
    const safety::Command first = Tick(&process.service->sessions());
    EXPECT_EQ(first.mode, Mode::kProtectiveStop) << restart;
    EXPECT_EQ(first.reason, Reason::kStopRequested) << restart;
    ASSERT_TRUE(process.service->sessions().End("r1").ok());  // nor does the session's end
  }
  {  // What the load is for: the same service without what was loaded goes on as if nothing was.
    telemetry::Metrics metrics;
    const ModelHost models{&metrics, 1 << 20};
    Sessions forgetful({}, &models);
    EXPECT_EQ(Tick(&forgetful).mode, Mode::kNominal);
  }
  Process process(database_.options());
  ASSERT_NE(process.service, nullptr);
  Tick(&process.service->sessions());
  EXPECT_EQ(Tick(&process.service->sessions(), false, true).mode, Mode::kNominal);
  process.service->latches().Flush();
  EXPECT_EQ(Rows(), "");
  Process after(database_.options());
  ASSERT_NE(after.service, nullptr);
  EXPECT_EQ(Tick(&after.service->sessions()).mode, Mode::kNominal);
}

TEST_P(LatchStoreTest, TheLatestWordOfARobotWinsAndNothingIsWrittenWhileNothingChanges) {
  Process process(database_.options());
  ASSERT_NE(process.service, nullptr);
  LatchStore& latches = process.service->latches();
  for (int k = 0; k < 100; ++k) {
    latches.Set("a", Reason::kStopRequested);
    latches.Set("a", std::nullopt);
    latches.Set("a", Reason::kBrakeFade);
    latches.Set("b", Reason::kStopRequested);
    latches.Set("b", std::nullopt);
  }
  latches.Flush();
  EXPECT_EQ(Rows(), "a=brake_fade;");
  int words = 0;
  process.service->sessions().on_latch = [&](const std::string&, std::optional<Reason>) {
    ++words;
  };
  for (int k = 0; k < 10; ++k) Tick(&process.service->sessions());
  Tick(&process.service->sessions(), true);
  for (int k = 0; k < 10; ++k) Tick(&process.service->sessions(), true);
  EXPECT_EQ(words, 1);
}

TEST(LatchStoreDown, NoTickWaitsForADatabaseThatIsAwayAndTheWordArrivesWhenItIsBack) {
  /// A database whose writes wait for the test, then fail, until it is told to heal.
  class Away final : public storage::Database {
   public:
    explicit Away(storage::Database* real) : real_(real) {}
    using Database::Query;
    StatusOr<storage::Rows> Query(std::string_view sql,
                                  std::span<const storage::Value> v) override {
      return real_->Query(sql, v);
    }
    Status Transact(const Body& body) override {
      std::unique_lock lock(mutex);
      ++tries;
      changed.notify_all();
      if (hangs) changed.wait(lock, [this] { return !hangs; });
      return away ? absl::UnavailableError("the server is away") : real_->Transact(body);
    }
    Status TransactExclusively(std::string_view name, const Body& body) override {
      return real_->TransactExclusively(name, body);
    }
    Status Check() override { return real_->Check(); }
    Status CheckIntegrity() override { return real_->CheckIntegrity(); }
    std::string_view kind() const override { return real_->kind(); }
    std::mutex mutex;
    std::condition_variable changed;
    bool hangs = false, away = false;
    int tries = 0;

   private:
    storage::Database* real_;
  };
  storage::testing::TestDatabase database("sqlite");
  const auto real = database.Open();
  ASSERT_TRUE(real.ok()) << real.status();
  Away away(real->get());
  telemetry::Metrics metrics;
  auto store = LatchStore::Open(&away, &metrics);
  ASSERT_TRUE(store.ok()) << store.status();
  {
    const std::lock_guard lock(away.mutex);
    away.hangs = away.away = true;
    away.tries = 0;
  }
  (*store)->Set("r1", Reason::kStopRequested);  // would never return if it waited
  {
    std::unique_lock lock(away.mutex);
    away.changed.wait(lock, [&] { return away.tries == 1; });
  }
  (*store)->Set("r2", Reason::kStopRequested);
  (*store)->Set("r1", Reason::kBrakeFade);  // newer than what hangs in the transaction
  {
    std::unique_lock lock(away.mutex);
    away.hangs = false;
    away.changed.notify_all();
    away.changed.wait(lock, [&] { return away.tries == 3; });
    away.away = false;
  }
  (*store)->Flush();
  auto again = LatchStore::Open(real->get(), &metrics);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->loaded(),
            (LatchedStops{{"r1", Reason::kBrakeFade}, {"r2", Reason::kStopRequested}}));
}

}  // namespace
}  // namespace saferl::services
