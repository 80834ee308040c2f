// What is kept of decisions while the database is slow, away or damaged: robots never wait for it,
// and every decision is either stored or counted as dropped.
#include "saferl/services/decide/decision_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "saferl/base/text.h"
#include "saferl/control/workload.h"
#include "saferl/services/testing/backends.h"

namespace saferl::services {
namespace {

/// Lets transactions through when and how the test says.
class Gate final : public storage::Database {
 public:
  explicit Gate(storage::Database* below) : below_(below) {}
  void Close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    closed_ = false;
    moved_.notify_all();
  }
  /// The writer stands before the gate. False after half a minute.
  bool SomebodyWaits() {
    std::unique_lock lock(mutex_);
    return moved_.wait_for(lock, std::chrono::seconds(30), [&] { return waiting_ > 0; });
  }
  /// What the next `times` transactions answer, without having written.
  void Refuse(const Status& status, int times) {
    const std::lock_guard lock(mutex_);
    refusal_ = status;
    refuse_ = times;
  }
  bool HasRefusedAll() {
    std::unique_lock lock(mutex_);
    return moved_.wait_for(lock, std::chrono::seconds(30), [&] { return refuse_ == 0; });
  }

  using Database::Query;
  StatusOr<storage::Rows> Query(std::string_view sql,
                                std::span<const storage::Value> parameters) override {
    return below_->Query(sql, parameters);
  }
  Status Transact(const Body& body) override {
    {
      std::unique_lock lock(mutex_);
      ++waiting_;
      moved_.notify_all();
      moved_.wait(lock, [&] { return !closed_; });
      --waiting_;
      if (refuse_ > 0) {
        --refuse_;
        moved_.notify_all();
        return refusal_;
      }
    }
    return below_->Transact(body);
  }
  Status TransactExclusively(std::string_view name, const Body& body) override {
    return below_->TransactExclusively(name, body);
  }
  Status Check() override { return below_->Check(); }
  Status CheckIntegrity() override { return below_->CheckIntegrity(); }
  std::string_view kind() const override { return below_->kind(); }

 private:
  storage::Database* below_;
  std::mutex mutex_;
  std::condition_variable moved_;
  bool closed_ = false;
  int waiting_ = 0, refuse_ = 0;
  Status refusal_;
};

class DecisionStoreTest : public ::testing::TestWithParam<const char*> {
 protected:
  static constexpr size_t kQueue = 8;

  void SetUp() override {
    auto database = stores_.OpenDatabase();
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
    gate_ = std::make_unique<Gate>(database_.get());
    ASSERT_NO_FATAL_FAILURE(OpenStore());
    sessions_.on_decision = [this](const Decided& decided) { store_->Keep(decided); };
  }
  void OpenStore() {
    store_ = nullptr;
    auto store =
        DecisionStore::Open({.keep_per_robot = 1000, .queue = kQueue}, gate_.get(), metrics_.get());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  void Decide(int ticks) {
    for (int i = 0; i < ticks; ++i) {
      DecideRequest request;
      request.robot = "r";
      request.type = "exoskeleton";
      request.input = workload_.Next();
      request.counts = {4, 4, 4, 4, -1};
      const auto decided = sessions_.Decide(request);
      ASSERT_TRUE(decided.ok()) << decided.status();
      workload_.Apply((*decided)->decision.command);
    }
  }
  /// The ticks that are stored, oldest first.
  std::vector<uint64_t> Stored() {
    std::vector<uint64_t> ticks;
    const auto listed = store_->List({}, 1000, std::nullopt);
    EXPECT_TRUE(listed.ok()) << listed.status();
    if (!listed.ok()) return ticks;
    for (const KeptDecision& d : *listed) ticks.insert(ticks.begin(), d.tick);
    return ticks;
  }
  /// From a to b, then from c to d.
  static std::vector<uint64_t> Ticks(uint64_t a, uint64_t b, uint64_t c = 1, uint64_t d = 0) {
    std::vector<uint64_t> ticks;
    for (uint64_t t = a; t <= b; ++t) ticks.push_back(t);
    for (uint64_t t = c; t <= d; ++t) ticks.push_back(t);
    return ticks;
  }

  const Backends stores_{GetParam()};
  std::unique_ptr<telemetry::Metrics> metrics_ = std::make_unique<telemetry::Metrics>();
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<Gate> gate_;
  std::unique_ptr<DecisionStore> store_;
  ModelHost models_{metrics_.get(), 1 << 20};
  Sessions sessions_{{}, &models_};
  control::Workload workload_{(*safety::LoadSafetyModel("exoskeleton"))->robot};
};
INSTANTIATE_TEST_SUITE_P(Stores, DecisionStoreTest, ::testing::ValuesIn(kBackends), NameOfBackends);

TEST_P(DecisionStoreTest, WhatFindsTheQueueFullIsDroppedAndCountedAndNobodyWaits) {
  gate_->Close();
  Decide(1);
  ASSERT_TRUE(gate_->SomebodyWaits());  // the writer has taken the first, and stands still with it
  Decide(kQueue);
  EXPECT_EQ(store_->dropped(), 0U);
  Decide(100);  // returns although the gate is closed: a store that waited would never come back
  EXPECT_EQ(store_->dropped(), 100U);
  EXPECT_EQ(store_->kept(), 0U);
  gate_->Open();
  store_->Flush();
  EXPECT_EQ(store_->kept(), 1 + kQueue);
  EXPECT_EQ(store_->dropped(), 100U);
  Decide(3);
  store_->Flush();
  EXPECT_EQ(Stored(), Ticks(1, 1 + kQueue, 110, 112));
  const std::string text = metrics_->Text();
  EXPECT_THAT(text, ::testing::HasSubstr("\nsaferl_decisions_kept_total 12\n"));
  EXPECT_THAT(text, ::testing::HasSubstr("\nsaferl_decisions_dropped_total 100\n"));
}

TEST_P(DecisionStoreTest, WhileTheDatabaseIsAwayDecisionsWaitAndNoneIsLost) {
  for (const Status& away :
       {absl::UnavailableError("away"), absl::UnknownError("written or not")}) {
    gate_->Refuse(away, 3);
    Decide(kQueue);
    store_->Flush();
    EXPECT_TRUE(gate_->HasRefusedAll());
  }
  EXPECT_EQ(store_->dropped(), 0U);
  EXPECT_EQ(store_->kept(), 2 * kQueue);
  EXPECT_EQ(Stored(), Ticks(1, 2 * kQueue));
}

TEST_P(DecisionStoreTest, WhatTheDatabaseWillNeverTakeIsDroppedAndTheNextIsStored) {
  gate_->Close();
  Decide(1);
  ASSERT_TRUE(gate_->SomebodyWaits());
  gate_->Refuse(absl::InvalidArgumentError("no such column"), 1);
  gate_->Open();
  store_->Flush();
  EXPECT_EQ(store_->dropped(), 1U);
  Decide(2);
  store_->Flush();
  EXPECT_EQ(Stored(), Ticks(2, 3));
}

TEST_P(DecisionStoreTest, TheEndDoesNotWaitForADatabaseThatIsAway) {
  gate_->Close();
  Decide(1);
  ASSERT_TRUE(gate_->SomebodyWaits());
  Decide(kQueue);
  gate_->Refuse(absl::UnavailableError("away"), 1'000'000);
  gate_->Open();
  store_ = nullptr;
  const std::string text = metrics_->Text();
  EXPECT_THAT(text, ::testing::HasSubstr(Cat("\nsaferl_decisions_dropped_total ", 1 + kQueue)));
  EXPECT_THAT(text, ::testing::HasSubstr("\nsaferl_decisions_kept_total 0\n"));
  gate_->Refuse(absl::OkStatus(), 0);
  ASSERT_NO_FATAL_FAILURE(OpenStore());
  EXPECT_EQ(Stored(), Ticks(1, 0));
}

}  // namespace
}  // namespace saferl::services
