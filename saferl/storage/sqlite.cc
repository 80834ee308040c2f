// Database in an SQLite file.
//
// One connection writes, in one thread: callers put their transaction into its queue and wait. It
// takes all that wait, runs each within a savepoint and commits them together (group commit): one
// sync of the disk for all. Nobody hears OK before that sync returned. The same connection copies
// the log into the file (checkpoint), and PATH.lock lets one program at a time do either, because
// SQLite before 3.51.3 can damage a file when two connections write or checkpoint at once.
// Readers have connections of their own and never wait for a writer.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/storage/adapters.h"
#include "saferl/storage/file_lock.h"
#include "saferl/storage/sqlite_connection.h"

namespace saferl::storage {
namespace {

constexpr size_t kMaxBatch = 256;  ///< transactions that share a commit
constexpr int64_t kCheckpointPause_ns = 1'000'000'000;
constexpr int64_t kCheckpointPages = 1000;     ///< 4 MB of log: copy it into the file
constexpr int64_t kTruncatePages = 16 * 1024;  ///< 64 MB: readers kept it from starting over

std::chrono::duration<double> WaitOf(double seconds) {
  return std::chrono::duration<double>(seconds);
}

/// A caller's transaction in the queue; lives on the caller's stack.
struct Pending {
  enum class State { kQueued, kRunning, kDone };
  const Database::Body* body;
  Status result;
  State state = State::kQueued;
  std::condition_variable moved;
};

class SqliteTransaction final : public Latched {
 public:
  explicit SqliteTransaction(SqliteConnection* connection) : connection_(connection) {}

 private:
  StatusOr<Rows> Run(std::string_view sql, std::span<const Value> parameters) override {
    if (!connection_->InTransaction()) {
      return absl::UnavailableError("sqlite: the transaction was rolled back; try again");
    }
    return connection_->Run(sql, parameters);
  }
  StatusOr<int64_t> RunBatch(std::string_view sql, std::span<const Row> rows) override {
    int64_t changed = 0;
    for (const Row& row : rows) {
      SAFERL_ASSIGN_OR_RETURN(const Rows one, Run(sql, row));
      changed += one.changed;
    }
    return changed;
  }
  SqliteConnection* connection_;
};

/// Connections that read, lent to one caller at a time.
class Readers {
 public:
  void Add(std::unique_ptr<SqliteConnection> connection) { idle_.push_back(std::move(connection)); }

  template <class F>
  auto With(double wait_s, F&& use) -> decltype(use(std::declval<SqliteConnection&>())) {
    std::unique_lock lock(mutex_);
    if (!returned_.wait_for(lock, WaitOf(wait_s), [&] { return !idle_.empty(); })) {
      return absl::UnavailableError(
          Cat("sqlite: no reader was free for ", wait_s, " s; try again or raise pool"));
    }
    std::unique_ptr<SqliteConnection> connection = std::move(idle_.back());
    idle_.pop_back();
    lock.unlock();
    auto result = use(*connection);
    lock.lock();
    idle_.push_back(std::move(connection));
    returned_.notify_one();
    return result;
  }

 private:
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<SqliteConnection>> idle_;
};

class Sqlite final : public Database {
 public:
  Sqlite(std::unique_ptr<FileLock> file_lock, std::unique_ptr<SqliteConnection> writer,
         double wait_s)
      : file_lock_(std::move(file_lock)), writer_(std::move(writer)), wait_s_(wait_s) {}

  ~Sqlite() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    queued_.notify_one();
    if (thread_.joinable()) thread_.join();
    // The last connection to close copies the log: as every checkpoint, under the lock.
    const bool locked = file_lock_->Acquire(wait_s_).ok();
    readers_.reset();
    writer_.reset();
    if (locked) file_lock_->Release();
  }

  void Start(std::unique_ptr<Readers> readers) {
    readers_ = std::move(readers);
    thread_ = std::thread([this] { Serve(); });
  }

  StatusOr<Rows> Query(std::string_view sql, std::span<const Value> parameters) override {
    return readers_->With(wait_s_, [&](SqliteConnection& c) { return c.Run(sql, parameters); });
  }

  Status Transact(const Body& body) override {
    if (std::this_thread::get_id() == thread_.get_id()) {
      return absl::FailedPreconditionError(
          "sqlite: Transact within a transaction would wait for itself; use its Transaction");
    }
    Pending pending;
    pending.body = &body;
    std::unique_lock lock(mutex_);
    queue_.push_back(&pending);
    queued_.notify_one();
    const auto begun = [&] { return pending.state != Pending::State::kQueued; };
    if (!pending.moved.wait_for(lock, WaitOf(wait_s_), begun)) {
      std::erase(queue_, &pending);
      return absl::UnavailableError(
          Cat("sqlite: the writer was busy for ", wait_s_, " s; nothing was written; try again"));
    }
    pending.moved.wait(lock, [&] { return pending.state == Pending::State::kDone; });
    return pending.result;
  }

  Status TransactExclusively(std::string_view, const Body& body) override {
    return Transact(body);  // the file has one writer over all programs
  }

  Status Check() override {
    // Rewrites a number in the file's header with its own value: a whole commit with its sync.
    return Transact([this](Transaction&) -> Status {
      return writer_->Control("PRAGMA user_version=0").status();
    });
  }

  Status CheckIntegrity() override {
    return readers_->With(wait_s_, [](SqliteConnection& c) -> Status {
      SAFERL_ASSIGN_OR_RETURN(const Rows pages, c.Control("PRAGMA integrity_check(5)"));
      if (pages.rows.size() != 1 || AsText(pages.rows[0][0]) != "ok") {
        return absl::DataLossError(
            Cat("sqlite: the file is damaged: ", pages.rows.empty() ? "" : AsText(pages.rows[0][0]),
                "; restore the last backup"));
      }
      SAFERL_ASSIGN_OR_RETURN(const Rows keys, c.Control("PRAGMA foreign_key_check"));
      if (keys.rows.empty()) return absl::OkStatus();
      return absl::DataLossError(Cat("sqlite: ", keys.rows.size(), " rows of table ",
                                     AsText(keys.rows[0][0]),
                                     " refer to rows that are gone; restore the last backup"));
    });
  }

  std::string_view kind() const override { return "sqlite"; }

 private:
  void Serve() {
    std::vector<Pending*> batch;
    while (true) {
      std::unique_lock lock(mutex_);
      queued_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      batch.clear();
      while (!queue_.empty() && batch.size() < kMaxBatch) {
        batch.push_back(queue_.front());
        queue_.pop_front();
        batch.back()->state = Pending::State::kRunning;
        batch.back()->moved.notify_one();
      }
      lock.unlock();
      ServeBatch(batch);
      lock.lock();
      for (Pending* pending : batch) {
        pending->state = Pending::State::kDone;
        pending->moved.notify_one();  // under the lock: afterwards its owner may be gone
      }
    }
  }

  void ServeBatch(const std::vector<Pending*>& batch) {
    if (writer_->sync_failed()) return FailAll(batch, SyncFailed());
    if (Status locked = file_lock_->Acquire(wait_s_); !locked.ok()) return FailAll(batch, locked);
    if (!CommitTogether(batch) && batch.size() > 1) {
      // Nothing of it was kept. Alone, only the one at fault fails.
      for (Pending* pending : batch) CommitTogether({pending});
    }
    if (writer_->log_pages() >= kCheckpointPages) Checkpoint();
    file_lock_->Release();
  }

  /// False when the commit as a whole did not come about.
  bool CommitTogether(const std::vector<Pending*>& batch) {
    if (writer_->sync_failed()) {
      FailAll(batch, SyncFailed());
      return false;
    }
    if (Status begun = writer_->Control("BEGIN IMMEDIATE").status(); !begun.ok()) {
      FailAll(batch, begun);
      return false;
    }
    const bool alone = batch.size() == 1;
    bool any = false;
    for (Pending* pending : batch) {
      pending->result = alone ? RunBody(*pending) : RunInSavepoint(*pending);
      if (!writer_->InTransaction()) return false;  // SQLite rolled back all of it
      any = any || pending->result.ok();
    }
    if (!any) {
      (void)writer_->Control("ROLLBACK");
      return true;
    }
    Status committed = writer_->Control("COMMIT").status();
    if (committed.ok()) return true;
    if (writer_->InTransaction()) (void)writer_->Control("ROLLBACK");
    FailAll(batch, committed);
    return false;
  }

  Status RunBody(const Pending& pending) {
    SqliteTransaction transaction(writer_.get());
    return transaction.Judge((*pending.body)(transaction));
  }

  Status RunInSavepoint(const Pending& pending) {
    SAFERL_RETURN_IF_ERROR(writer_->Control("SAVEPOINT one").status());
    Status result = RunBody(pending);
    if (!result.ok() && writer_->InTransaction()) {
      SAFERL_RETURN_IF_ERROR(writer_->Control("ROLLBACK TO one").status());
    }
    if (writer_->InTransaction()) {
      SAFERL_RETURN_IF_ERROR(writer_->Control("RELEASE one").status());
    }
    return result;
  }

  static void FailAll(const std::vector<Pending*>& batch, const Status& why) {
    for (Pending* pending : batch) {
      if (pending->result.ok()) pending->result = why;
    }
  }

  static Status SyncFailed() {
    // The kernel may have dropped what it could not write: a second sync would lie.
    return absl::UnavailableError(
        "sqlite: a sync of the disk failed; nothing is written any more; check the disk, then "
        "start the program again");
  }

  /// One that fails (a full disk) is said once and tried again every kCheckpointPause: the log
  /// holds what was committed meanwhile.
  void Checkpoint() {
    if (Nanos() < next_checkpoint_ns_) return;
    const Status done = writer_->Checkpoint(writer_->log_pages() >= kTruncatePages);
    next_checkpoint_ns_ = done.ok() ? 0 : Nanos() + kCheckpointPause_ns;
    if (done.ok() == !checkpoint_failed_) return;
    checkpoint_failed_ = !done.ok();
    if (done.ok()) {
      Log(LogLevel::kInfo, "database: checkpoints work again", {});
    } else {
      Log(LogLevel::kWarning, "database: checkpoint failed; it is tried again every second",
          {{"error", done.ToString()}});
    }
  }

  const std::unique_ptr<FileLock> file_lock_;
  std::unique_ptr<SqliteConnection> writer_;  ///< of the thread alone
  std::unique_ptr<Readers> readers_;
  const double wait_s_;
  std::mutex mutex_;
  std::condition_variable queued_;
  std::deque<Pending*> queue_;
  bool stopping_ = false;
  bool checkpoint_failed_ = false;  ///< of the thread alone, as the next
  int64_t next_checkpoint_ns_ = 0;
  std::thread thread_;
};

/// Makes the file for its owner only. An existing one is never opened here: closing it would drop
/// the locks that another connection of this program holds (fcntl(2)).
Status EnsureFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd >= 0) {
    ::close(fd);
    return absl::OkStatus();
  }
  if (errno != EEXIST) return ErrnoStatus(errno, path, "cannot make the database");
  if (::chmod(path.c_str(), 0600) != 0) return ErrnoStatus(errno, path, "cannot protect");
  return absl::OkStatus();
}

}  // namespace

StatusOr<std::unique_ptr<Database>> OpenSqlite(const DatabaseOptions& options) {
  const std::string path = options.url.substr(std::string_view("sqlite:").size());
  if (path.empty() || path == ":memory:") {
    return absl::InvalidArgumentError("database: url: sqlite without a file; use sqlite:PATH");
  }
  SAFERL_ASSIGN_OR_RETURN(std::unique_ptr<FileLock> lock, FileLock::Open(path + ".lock"));
  SAFERL_RETURN_IF_ERROR(lock->Acquire(options.wait_s));
  SAFERL_RETURN_IF_ERROR(EnsureFile(path));
  using Connection = SqliteConnection;
  SAFERL_ASSIGN_OR_RETURN(auto writer,
                          Connection::Open(path, Connection::Role::kWriter, options.wait_s));
  auto readers = std::make_unique<Readers>();
  for (int i = 0; i < options.pool; ++i) {
    SAFERL_ASSIGN_OR_RETURN(auto reader,
                            Connection::Open(path, Connection::Role::kReader, options.wait_s));
    readers->Add(std::move(reader));
  }
  lock->Release();
  auto database = std::make_unique<Sqlite>(std::move(lock), std::move(writer), options.wait_s);
  database->Start(std::move(readers));
  return std::unique_ptr<Database>(std::move(database));
}

}  // namespace saferl::storage
