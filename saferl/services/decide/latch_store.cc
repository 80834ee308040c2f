#include "saferl/services/decide/latch_store.h"

#include <chrono>
#include <vector>

#include "saferl/base/clock.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

constexpr storage::Migration kMigrations[] = {
    {1, "latched stops",
     "CREATE TABLE latched_stops (robot text NOT NULL PRIMARY KEY, reason bigint NOT NULL, at_ns "
     "bigint NOT NULL)"}};

constexpr std::chrono::milliseconds kFirstPause{100}, kLongestPause{5000};

/// A number that no program of this age writes stands for the stop that only a person ends.
safety::Reason ReasonOf(int64_t kept) {
  return kept < 0 || kept > 255 ? safety::Reason::kStopRequested
                                : static_cast<safety::Reason>(kept);
}

}  // namespace

StatusOr<std::unique_ptr<LatchStore>> LatchStore::Open(storage::Database* database,
                                                       telemetry::Metrics* metrics) {
  SAFERL_RETURN_IF_ERROR(storage::Migrate("latched_stops", kMigrations, database));
  std::unique_ptr<LatchStore> store(new LatchStore(database, metrics));
  SAFERL_RETURN_IF_ERROR(store->Load());
  store->writer_ = std::thread([s = store.get()] { s->Write(); });
  return store;
}

LatchStore::~LatchStore() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (writer_.joinable()) writer_.join();
}

Status LatchStore::Load() {
  SAFERL_ASSIGN_OR_RETURN(const storage::Rows rows,
                          database_->Query("SELECT robot, reason FROM latched_stops"));
  for (const storage::Row& row : rows.rows)
    loaded_.emplace(storage::AsText(row[0]), ReasonOf(storage::AsInt(row[1])));
  if (!loaded_.empty())
    Log(LogLevel::kWarning, "latched stops from before: each needs its person's acknowledgement",
        {{"robots", loaded_.size()}});
  return absl::OkStatus();
}

void LatchStore::Set(const std::string& robot, std::optional<safety::Reason> reason) {
  {
    const std::lock_guard lock(mutex_);
    waiting_[robot] = reason;
    metrics_.waiting.Set(static_cast<double>(waiting_.size()));
  }
  changed_.notify_one();
}

void LatchStore::Flush() {
  std::unique_lock lock(mutex_);
  stored_.wait(lock, [this] { return waiting_.empty() && !writing_; });
}

Status LatchStore::Store(const Words& words) {
  std::vector<storage::Row> set, cleared;
  for (const auto& [robot, reason] : words) {
    if (reason) {
      set.push_back({robot, static_cast<int64_t>(*reason), WallNanos()});
    } else {
      cleared.push_back({robot});
    }
  }
  return database_->Transact([&](storage::Transaction& t) -> Status {
    if (!set.empty())
      SAFERL_RETURN_IF_ERROR(
          t.ExecuteBatch("INSERT INTO latched_stops (robot, reason, at_ns) VALUES ($1, $2, $3) ON "
                         "CONFLICT (robot) DO UPDATE SET reason = excluded.reason, at_ns = "
                         "excluded.at_ns",
                         set)
              .status());
    if (!cleared.empty())
      SAFERL_RETURN_IF_ERROR(
          t.ExecuteBatch("DELETE FROM latched_stops WHERE robot = $1", cleared).status());
    return absl::OkStatus();
  });
}

void LatchStore::Write() {
  std::chrono::milliseconds pause = kFirstPause;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    Words words;
    words.swap(waiting_);
    writing_ = true;
    lock.unlock();
    const Status stored = Store(words);
    lock.lock();
    writing_ = false;
    if (stored.ok()) {
      pause = kFirstPause;
    } else {
      waiting_.merge(words);  // a newer word of the same robot stays
      Log(LogLevel::kError, "latched stops not stored: a restart would not know them",
          {{"robots", waiting_.size()}, {"why", Cat(stored.message())}});
      if (stopping_) return;
      changed_.wait_for(lock, pause, [this] { return stopping_; });
      pause = std::min(2 * pause, kLongestPause);
    }
    metrics_.waiting.Set(static_cast<double>(waiting_.size()));
    stored_.notify_all();
  }
}

}  // namespace saferl::services
