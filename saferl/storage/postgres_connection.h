#pragma once
// One connection to a PostgreSQL server, always in pipeline mode: what belongs together goes out in
// one piece and costs one round trip. Statements are prepared at their first use. One thread at a
// time; every wait ends at a deadline, whatever the server does.
//
// Values travel in binary: bigint and double precision as eight bytes, text and bytea as they are.
// What other types a column may have on the way back: smallint, integer, boolean (0 or 1), real,
// numeric (bigint where it is whole and fits), varchar; anything else: CAST it to text.
// RT: no. Source: PostgreSQL documentation, "libpq: Pipeline Mode", "Message Formats".

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/storage/database.h"

namespace saferl::storage {

class PostgresConnection {
 public:
  static StatusOr<std::unique_ptr<PostgresConnection>> Open(const DatabaseOptions& options);
  /// Is the text a connection URI? The answer never repeats it: it may hold a password.
  static Status CheckUrl(const std::string& url);
  virtual ~PostgresConnection() = default;

  /// Has BEGIN SERIALIZABLE READ WRITE travel with the next statement.
  virtual void Begin() = 0;
  virtual StatusOr<Rows> Run(std::string_view sql, std::span<const Value> parameters) = 0;
  /// The same statement for many rows, in one pipeline. Returns the rows changed.
  virtual StatusOr<int64_t> RunBatch(std::string_view sql, std::span<const Row> parameters) = 0;
  /// Begin, one statement and commit in one round trip.
  virtual StatusOr<Rows> RunAndCommit(std::string_view sql, std::span<const Value> parameters) = 0;
  /// OK also when nothing was begun. kUnknown when the server was lost on the way.
  virtual Status Commit() = 0;
  virtual void Rollback() = 0;

  /// How long one statement may take from now on.
  virtual Status SetLimit(double seconds) = 0;
  /// How long an answer is waited for at most, whatever the limit: of this side alone.
  virtual void SetPatience(double seconds) = 0;
  /// Looks, without a round trip, whether the server has closed an idle connection.
  virtual bool Alive() = 0;
  /// The server does not answer any more: throw the connection away.
  virtual bool broken() const = 0;
};

}  // namespace saferl::storage
