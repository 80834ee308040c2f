#pragma once
// One connection to an SQLite file: parameters $1, $2 by number, typed values, errors as canonical
// codes. One thread at a time.
//
// The dialect: SQLite takes "$1" as a parameter's name, which is bound here by its number. bigint,
// text, bytea and double precision get the affinities INTEGER, TEXT, NUMERIC (which leaves bytes
// alone) and REAL. As in PostgreSQL, LIKE heeds case, "x" is a name and never a text, foreign keys
// hold, and COLLATE "C" orders by bytes. Statements that open or end transactions, attach files or
// set pragmas are refused: the adapter alone does that.
// RT: no. Source: sqlite.org/lang_expr.html#varparam, datatype3.html, wal.html.

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "saferl/base/status.h"
#include "saferl/storage/database.h"

namespace saferl::storage {

class SqliteConnection {
 public:
  enum class Role { kWriter, kReader };
  /// Opens an existing file (an empty one is an empty database), WAL and synchronous=FULL.
  static StatusOr<std::unique_ptr<SqliteConnection>> Open(const std::string& path, Role role,
                                                          double busy_s);
  virtual ~SqliteConnection() = default;

  /// A caller's statement.
  virtual StatusOr<Rows> Run(std::string_view sql, std::span<const Value> parameters) = 0;
  /// The adapter's own: BEGIN, SAVEPOINT, COMMIT, PRAGMA ...
  virtual StatusOr<Rows> Control(const char* sql) = 0;
  /// False when SQLite itself has rolled back (disk full, I/O error).
  virtual bool InTransaction() const = 0;
  /// Pages in the write-ahead log after the last commit of this connection.
  virtual int64_t log_pages() const = 0;
  /// Copies the log into the file; with `truncate` also empties it. Readers are not waited for.
  virtual Status Checkpoint(bool truncate) = 0;
  /// A sync of the file system has failed: what is on disk is unknown from then on.
  virtual bool sync_failed() const = 0;
};

}  // namespace saferl::storage
