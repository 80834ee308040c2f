// Database in PostgreSQL: a pool of connections with a bounded wait, transactions that run again
// after a conflict, and a breaker that answers at once while the server is away.

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "saferl/base/clock.h"
#include "saferl/base/hash.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/storage/adapters.h"
#include "saferl/storage/breaker.h"
#include "saferl/storage/postgres_connection.h"

namespace saferl::storage {
namespace {

constexpr double kForEver_s = 1e9;
constexpr double kExclusiveLimit_s = 600;  ///< a statement of a migration

class PostgresTransaction final : public Latched {
 public:
  explicit PostgresTransaction(PostgresConnection* connection) : connection_(connection) {}

 private:
  StatusOr<Rows> Run(std::string_view sql, std::span<const Value> parameters) override {
    return connection_->Run(sql, parameters);
  }
  StatusOr<int64_t> RunBatch(std::string_view sql, std::span<const Row> rows) override {
    return connection_->RunBatch(sql, rows);
  }
  PostgresConnection* connection_;
};

class Pool {
 public:
  explicit Pool(const DatabaseOptions& options)
      : options_(options), breaker_({}, static_cast<uint64_t>(Nanos())) {}

  StatusOr<std::unique_ptr<PostgresConnection>> Take() {
    std::unique_lock lock(mutex_);
    const auto free = [&] { return !idle_.empty() || used_ < options_.pool; };
    if (!returned_.wait_for(lock, std::chrono::duration<double>(options_.wait_s), free)) {
      return absl::UnavailableError(Cat("postgresql: none of ", options_.pool,
                                        " connections was free for ", options_.wait_s,
                                        " s; nothing was written; try again or raise pool"));
    }
    ++used_;
    while (!idle_.empty()) {
      std::unique_ptr<PostgresConnection> connection = std::move(idle_.back());
      idle_.pop_back();
      if (connection->Alive()) return connection;
    }
    lock.unlock();
    StatusOr<std::unique_ptr<PostgresConnection>> made = Connect();
    if (!made.ok()) Give(nullptr);
    return made;
  }

  void Give(std::unique_ptr<PostgresConnection> connection) {
    const bool lost = connection && connection->broken();
    if (lost) connection.reset();
    std::vector<std::unique_ptr<PostgresConnection>> suspect;  // closed without the lock
    const std::lock_guard lock(mutex_);
    --used_;
    if (connection) idle_.push_back(std::move(connection));
    if (lost) suspect.swap(idle_);  // else each of them would be waited for in turn
    returned_.notify_one();
  }

 private:
  StatusOr<std::unique_ptr<PostgresConnection>> Connect() {
    if (!breaker_.Allow(Nanos())) {
      return absl::UnavailableError(
          "postgresql: the server does not answer and is tried again shortly; try again later");
    }
    StatusOr<std::unique_ptr<PostgresConnection>> made = PostgresConnection::Open(options_);
    Report(!absl::IsUnavailable(made.status()));  // a refusal is an answer too
    return made;
  }

  void Report(bool worked) {
    const bool was_open = breaker_.open();
    if (worked) {
      breaker_.Worked();
    } else {
      breaker_.Failed(Nanos());
    }
    if (was_open == worked) {
      Log(worked ? LogLevel::kInfo : LogLevel::kWarning,
          worked ? "database: the server answers again" : "database: the server does not answer");
    }
  }

  const DatabaseOptions options_;
  Breaker breaker_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<PostgresConnection>> idle_;
  int used_ = 0;  ///< lent out or being made
};

/// A connection for one call.
class Lease {
 public:
  static StatusOr<Lease> Take(Pool* pool) {
    SAFERL_ASSIGN_OR_RETURN(auto connection, pool->Take());
    return Lease(pool, std::move(connection));
  }
  Lease(Lease&&) = default;
  Lease& operator=(Lease&&) = delete;
  ~Lease() {
    if (connection_) pool_->Give(std::move(connection_));
  }
  PostgresConnection* operator->() const { return connection_.get(); }
  PostgresConnection* get() const { return connection_.get(); }

 private:
  Lease(Pool* pool, std::unique_ptr<PostgresConnection> connection)
      : pool_(pool), connection_(std::move(connection)) {}
  Pool* pool_;
  std::unique_ptr<PostgresConnection> connection_;
};

class Postgres final : public Database {
 public:
  explicit Postgres(const DatabaseOptions& options) : options_(options), pool_(options) {}

  StatusOr<Rows> Query(std::string_view sql, std::span<const Value> parameters) override {
    Rows rows;
    SAFERL_RETURN_IF_ERROR(Repeat([&](PostgresConnection& connection) -> Status {
      SAFERL_ASSIGN_OR_RETURN(rows, connection.Run(sql, parameters));
      return absl::OkStatus();
    }));
    return rows;
  }

  StatusOr<Rows> Execute(std::string_view sql, std::span<const Value> parameters) override {
    Rows rows;
    SAFERL_RETURN_IF_ERROR(Repeat([&](PostgresConnection& connection) -> Status {
      StatusOr<Rows> written = connection.RunAndCommit(sql, parameters);
      if (!written.ok()) {
        connection.Rollback();
        return written.status();
      }
      rows = *std::move(written);
      return absl::OkStatus();
    }));
    return rows;
  }

  Status Transact(const Body& body) override {
    return Repeat([&](PostgresConnection& connection) { return RunOnce(body, connection); });
  }

  Status TransactExclusively(std::string_view name, const Body& body) override {
    // The lock is the session's and taken before the transaction begins, so that the transaction
    // sees what the holder before it has committed.
    const std::string digest = Sha256Hex(name);
    const Value key[] = {static_cast<int64_t>(std::stoull(digest.substr(0, 15), nullptr, 16))};
    return Repeat([&](PostgresConnection& connection) -> Status {
      SAFERL_RETURN_IF_ERROR(connection.SetLimit(kExclusiveLimit_s));
      Status status = connection.Run("SELECT pg_advisory_lock($1) IS NULL", key).status();
      if (status.ok()) {
        status = RunOnce(body, connection);
        (void)connection.Run("SELECT pg_advisory_unlock($1)", key);
      }
      (void)connection.SetLimit(options_.statement_s);
      return status;
    });
  }

  Status Check() override {
    // A transaction number is written down: a whole commit.
    Status written = Repeat([&](PostgresConnection& connection) -> Status {
      connection.SetPatience(options_.wait_s);
      const Status status =
          connection.RunAndCommit("SELECT CAST(pg_current_xact_id() AS text)", {}).status();
      if (!status.ok()) connection.Rollback();
      connection.SetPatience(kForEver_s);
      return status;
    });
    if (absl::IsUnknown(written)) return absl::UnavailableError(written.message());
    if (!absl::IsInvalidArgument(written)) return written;
    return absl::UnavailableError(
        Cat(written.message(), "; the server only reads: connect to the primary"));
  }

  Status CheckIntegrity() override {
    SAFERL_ASSIGN_OR_RETURN(
        const Rows broken,
        Query("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid", {}));
    if (!broken.rows.empty()) {
      return absl::DataLossError(
          Cat("postgresql: index ", AsText(broken.rows[0][0]), " is not valid; REINDEX it"));
    }
    // Reading every row has the server check every page's sum, where the cluster has sums.
    SAFERL_ASSIGN_OR_RETURN(
        const Rows tables,
        Query("SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) "
              "FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
              "AND table_schema NOT IN ('pg_catalog', 'information_schema')",
              {}));
    for (const Row& table : tables.rows) {
      const std::string read = Cat("SELECT count(t) FROM ", AsText(table[0]), " t");
      SAFERL_RETURN_IF_ERROR(Query(read, {}).status());
    }
    return absl::OkStatus();
  }

  std::string_view kind() const override { return "postgresql"; }

 private:
  static Status RunOnce(const Body& body, PostgresConnection& connection) {
    connection.Begin();
    PostgresTransaction transaction(&connection);
    Status status = transaction.Judge(body(transaction));
    if (status.ok()) status = connection.Commit();
    if (!status.ok()) connection.Rollback();
    return status;
  }

  /// Runs once more after a conflict, and after the loss of a connection whose commit was not on
  /// its way, until wait_s has passed.
  template <class F>
  Status Repeat(F&& once) {
    const Deadline deadline = Deadline::After(FromSeconds(options_.wait_s));
    for (int attempt = 0;; ++attempt) {
      Status status;
      bool again = false;
      {
        StatusOr<Lease> lease = Lease::Take(&pool_);
        if (!lease.ok()) return lease.status();
        status = once(*lease->get());
        again = absl::IsAborted(status) ||
                (absl::IsUnavailable(status) && (*lease)->broken() && attempt == 0);
      }
      if (status.ok() || !again || deadline.Passed()) return status;
      if (absl::IsAborted(status)) Pause(attempt);
    }
  }

  /// A random time below 1, 2, 4, ... 32 ms: those in conflict come back one by one.
  static void Pause(int attempt) {
    thread_local Random random(static_cast<uint64_t>(Nanos()),
                               std::hash<std::thread::id>()(std::this_thread::get_id()));
    const double most_s = 0.001 * (1 << std::min(attempt, 5));
    std::this_thread::sleep_for(std::chrono::duration<double>(random.Uniform(0, most_s)));
  }

  const DatabaseOptions options_;
  Pool pool_;
};

}  // namespace

StatusOr<std::unique_ptr<Database>> OpenPostgres(const DatabaseOptions& options) {
  SAFERL_RETURN_IF_ERROR(PostgresConnection::CheckUrl(options.url));
  auto database = std::make_unique<Postgres>(options);
  // The server must be there now and of a version that works: what is wrong shows at the start.
  SAFERL_RETURN_IF_ERROR(database->Query("SELECT 1", {}).status());
  return std::unique_ptr<Database>(std::move(database));
}

}  // namespace saferl::storage
