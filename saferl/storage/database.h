#pragma once
// Database: rows, in SQLite (one machine, nothing to install) or PostgreSQL 14+ (production). One
// SQL text serves both; storage/README.md lists the words that mean the same in both.
//
// Durability: when Execute or Transact returns OK, what was written survives kill -9 and power cut.
// Concurrency: safe from any thread. Writes of many threads share commits (group commit).
// Errors: kAlreadyExists (unique), kFailedPrecondition (foreign key, check, not null), kAborted
// (serialization; Transact retries it first), kUnavailable (server away, breaker open, disk full,
// or the wait for a connection, the writer or a statement was too long: nothing written),
// kInvalidArgument (the SQL or a parameter), kDataLoss (the file is damaged), kUnknown (the server
// went away during the commit: written or not). RT: no.
// Source: SQLite's WAL mode with synchronous=FULL; PostgreSQL's SERIALIZABLE.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::storage {

struct Blob {
  std::string bytes;
  bool operator==(const Blob&) const = default;
};
/// null, bigint, double precision, text (UTF-8 without NUL), bytea. NaN is refused.
using Value = std::variant<std::monostate, int64_t, double, std::string, Blob>;
using Row = std::vector<Value>;

struct Rows {
  std::vector<Row> rows;
  int64_t changed = 0;  ///< rows that a write touched
};

/// Typed access that cannot fail: of null or another kind 0 or empty; the two numbers convert.
int64_t AsInt(const Value& value);
double AsDouble(const Value& value);
const std::string& AsText(const Value& value);
const std::string& AsBlob(const Value& value);
inline bool IsNull(const Value& value) { return value.index() == 0; }

class Transaction {
 public:
  virtual ~Transaction() = default;
  /// One statement with its parameters $1, $2, ... After an error the transaction is lost: every
  /// later Execute and Transact itself return that error (ON CONFLICT is the way to try).
  virtual StatusOr<Rows> Execute(std::string_view sql, std::span<const Value> parameters) = 0;
  StatusOr<Rows> Execute(std::string_view sql, std::initializer_list<Value> parameters = {}) {
    return Execute(sql, std::span<const Value>(parameters.begin(), parameters.size()));
  }
  /// The same statement for many rows; PostgreSQL gets them in one pipeline. Returns rows changed.
  virtual StatusOr<int64_t> ExecuteBatch(std::string_view sql, std::span<const Row> rows) = 0;
};

class Database {
 public:
  using Body = std::function<Status(Transaction&)>;
  virtual ~Database() = default;
  /// One read outside of a transaction.
  virtual StatusOr<Rows> Query(std::string_view sql, std::span<const Value> parameters) = 0;
  StatusOr<Rows> Query(std::string_view sql, std::initializer_list<Value> parameters = {}) {
    return Query(sql, std::span<const Value>(parameters.begin(), parameters.size()));
  }
  /// Serializable: all of `body` or nothing. `body` may run again after a conflict, and on another
  /// thread: no effects beyond the database, no waiting, no Transact inside. An error that it
  /// returns rolls back and is returned.
  virtual Status Transact(const Body& body) = 0;
  /// A transaction of one statement.
  virtual StatusOr<Rows> Execute(std::string_view sql, std::span<const Value> parameters);
  StatusOr<Rows> Execute(std::string_view sql, std::initializer_list<Value> parameters = {}) {
    return Execute(sql, std::span<const Value>(parameters.begin(), parameters.size()));
  }
  /// Transact, one at a time over every program that uses the same name.
  virtual Status TransactExclusively(std::string_view name, const Body& body) = 0;
  /// Reachable and writable now; what is wrong otherwise, within twice wait_s. Costs a commit.
  virtual Status Check() = 0;
  /// Reads everything and says what is damaged (kDataLoss). Costs a pass over the data.
  virtual Status CheckIntegrity() = 0;
  virtual std::string_view kind() const = 0;  ///< "sqlite" or "postgresql"
};

struct DatabaseOptions {
  /// "sqlite:PATH" or "postgresql://user@host:port/name?sslmode=..." (libpq's URI).
  std::string url{};
  std::string password{};   ///< never printed
  int pool = 4;             ///< connections; for SQLite those that read
  double wait_s = 2;        ///< for a connection or the writer, and to connect
  double statement_s = 30;  ///< one statement (PostgreSQL)
};
StatusOr<std::unique_ptr<Database>> OpenDatabase(const DatabaseOptions& options);

/// Numbered schema changes of one component. Applied ones are remembered with their SHA-256: a
/// changed text or a gap is an error. Expand first, contract a release later, so that the program
/// before runs on the schema after.
struct Migration {
  int number = 0;  ///< 1, 2, 3, ...
  const char* name = "";
  const char* sql = "";  ///< statements separated by ";\n"
  /// 0: only adds, every older program keeps running. Else it takes away what programs whose last
  /// migration is `unused_since` or later do not use; older ones then refuse to start.
  int unused_since = 0;
};
/// Applies what is missing. Two programs that start at once take turns.
Status Migrate(std::string_view component, std::span<const Migration> migrations,
               Database* database);

}  // namespace saferl::storage
