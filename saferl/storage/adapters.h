#pragma once
// What the two adapters of Database share; nobody outside of the room includes it.
// RT: no.

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "saferl/storage/database.h"

namespace saferl::storage {

StatusOr<std::unique_ptr<Database>> OpenSqlite(const DatabaseOptions& options);
StatusOr<std::unique_ptr<Database>> OpenPostgres(const DatabaseOptions& options);

/// kInvalidArgument naming the parameter: text that is not UTF-8 or holds NUL, NaN.
Status CheckParameters(std::span<const Value> parameters);

/// What a caller's statement says about itself, literals, quoted names and comments left out.
struct StatementWords {
  size_t parameters = 0;  ///< n of the highest $n
  std::string first;      ///< its first word, in capitals
};
StatementWords WordsOf(std::string_view sql);

/// The beginning of a statement, on one line, for messages (parameters are never shown).
std::string Excerpt(std::string_view sql);

/// Has a transaction lost once a statement failed, and keeps that first error.
class Latched : public Transaction {
 public:
  StatusOr<Rows> Execute(std::string_view sql, std::span<const Value> parameters) final {
    if (!failed_.ok()) return failed_;
    StatusOr<Rows> rows = Run(sql, parameters);
    if (!rows.ok()) failed_ = rows.status();
    return rows;
  }
  using Transaction::Execute;
  StatusOr<int64_t> ExecuteBatch(std::string_view sql, std::span<const Row> rows) final {
    if (!failed_.ok()) return failed_;
    StatusOr<int64_t> changed = RunBatch(sql, rows);
    if (!changed.ok()) failed_ = changed.status();
    return changed;
  }
  /// What Transact makes of the body's own answer: it may put a lost statement in its own words,
  /// but neither overlook it nor hide that it can be tried again.
  Status Judge(Status body) const {
    if (failed_.ok()) return body;
    const bool again = absl::IsAborted(failed_) || absl::IsUnavailable(failed_);
    return again || body.ok() ? failed_ : body;
  }

 protected:
  virtual StatusOr<Rows> Run(std::string_view sql, std::span<const Value> parameters) = 0;
  virtual StatusOr<int64_t> RunBatch(std::string_view sql, std::span<const Row> rows) = 0;

 private:
  Status failed_;
};

}  // namespace saferl::storage
