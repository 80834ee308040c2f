#include "saferl/storage/sqlite_connection.h"

#include <sqlite3.h>

#include <charconv>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "saferl/base/text.h"
#include "saferl/storage/adapters.h"

namespace saferl::storage {
namespace {

constexpr size_t kMaxStatements = 256;

struct CloseHandle {
  void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Handle = std::unique_ptr<sqlite3, CloseHandle>;
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

absl::StatusCode CodeOf(int extended) {
  switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
      return absl::StatusCode::kAlreadyExists;
    default:
      break;
  }
  switch (extended & 0xff) {
    case SQLITE_CONSTRAINT:
      return absl::StatusCode::kFailedPrecondition;
    case SQLITE_FULL:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM:
    case SQLITE_PROTOCOL:
      return absl::StatusCode::kUnavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::StatusCode::kDataLoss;
    case SQLITE_PERM:
      return absl::StatusCode::kPermissionDenied;
    case SQLITE_INTERRUPT:
      return absl::StatusCode::kCancelled;
    case SQLITE_ERROR:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
    case SQLITE_TOOBIG:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
    case SQLITE_MISUSE:
      return absl::StatusCode::kInvalidArgument;
    default:
      return absl::StatusCode::kInternal;
  }
}

const char* NextStep(int extended) {
  switch (extended & 0xff) {
    case SQLITE_FULL:
      return "free some space; nothing was written";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another program holds the file; end it or try again";
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return "check the disk and who may write to the directory";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "restore the last backup";
    case SQLITE_CONSTRAINT:
      return "the row breaks a rule of the schema";
    case SQLITE_AUTH:
      return "transactions, pragmas and attached files belong to the adapter; use Transact";
    default:
      return "correct the statement";
  }
}

int AuthorizeCaller(void* own, int action, const char*, const char*, const char*, const char*) {
  if (*static_cast<const bool*>(own)) return SQLITE_OK;
  switch (action) {
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
    case SQLITE_PRAGMA:
      return SQLITE_DENY;
    default:
      return SQLITE_OK;
  }
}

int CompareBytes(void*, int left_size, const void* left, int right_size, const void* right) {
  const int order = std::memcmp(
      left, right, static_cast<size_t>(left_size < right_size ? left_size : right_size));
  return order != 0 ? order : left_size - right_size;
}

Value ColumnOf(sqlite3_stmt* statement, int column) {
  const auto size = [&] { return static_cast<size_t>(sqlite3_column_bytes(statement, column)); };
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return int64_t{sqlite3_column_int64(statement, column)};
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, column);
    case SQLITE_TEXT: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
      return std::string(text, size());
    }
    case SQLITE_BLOB: {
      const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
      return Blob{bytes ? std::string(bytes, size()) : std::string()};
    }
    default:
      return {};
  }
}

int BindOne(sqlite3_stmt* statement, int index, const Value& value) {
  if (const auto* i = std::get_if<int64_t>(&value)) return sqlite3_bind_int64(statement, index, *i);
  if (const auto* d = std::get_if<double>(&value)) return sqlite3_bind_double(statement, index, *d);
  if (const auto* text = std::get_if<std::string>(&value)) {
    return sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_STATIC,
                               SQLITE_UTF8);
  }
  if (const auto* blob = std::get_if<Blob>(&value)) {
    if (blob->bytes.empty()) return sqlite3_bind_zeroblob(statement, index, 0);
    return sqlite3_bind_blob64(statement, index, blob->bytes.data(), blob->bytes.size(),
                               SQLITE_STATIC);
  }
  return sqlite3_bind_null(statement, index);
}

class Connection final : public SqliteConnection {
 public:
  Connection(Handle handle, Role role) : handle_(std::move(handle)), role_(role) {}

  Status Prepare(double busy_s) {
    sqlite3* db = handle_.get();
    sqlite3_busy_timeout(db, static_cast<int>(busy_s * 1000));
    for (const int off :
         {SQLITE_DBCONFIG_DQS_DML, SQLITE_DBCONFIG_DQS_DDL, SQLITE_DBCONFIG_TRUSTED_SCHEMA}) {
      sqlite3_db_config(db, off, 0, nullptr);
    }
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    if (role_ == Role::kReader) sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    sqlite3_create_collation(db, "C", SQLITE_UTF8, nullptr, CompareBytes);
    sqlite3_set_authorizer(db, AuthorizeCaller, &own_);
    sqlite3_wal_hook(
        db,
        [](void* self, sqlite3*, const char*, int pages) {
          static_cast<Connection*>(self)->log_pages_ = pages;
          return SQLITE_OK;
        },
        this);  // also replaces SQLite's own checkpoint after 1000 pages
    SAFERL_ASSIGN_OR_RETURN(const Rows mode, Control("PRAGMA journal_mode=WAL"));
    if (mode.rows.empty() || AsText(mode.rows[0][0]) != "wal") {
      return absl::UnavailableError(
          "sqlite: the file system cannot hold a write-ahead log; use a local disk");
    }
    for (const char* pragma :
         {"PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON", "PRAGMA case_sensitive_like=ON",
          "PRAGMA cell_size_check=ON", "PRAGMA temp_store=MEMORY", "PRAGMA cache_size=-16384",
          "PRAGMA journal_size_limit=67108864"}) {
      SAFERL_RETURN_IF_ERROR(Control(pragma).status());
    }
    if (role_ == Role::kReader) return Control("PRAGMA query_only=ON").status();
    return absl::OkStatus();
  }

  StatusOr<Rows> Run(std::string_view sql, std::span<const Value> parameters) override {
    SAFERL_RETURN_IF_ERROR(CheckParameters(parameters));
    SAFERL_ASSIGN_OR_RETURN(sqlite3_stmt * statement, Find(sql));
    if (role_ == Role::kReader && !sqlite3_stmt_readonly(statement)) {
      return absl::InvalidArgumentError(
          Cat("sqlite: Query only reads; write with Execute or Transact; in: ", Excerpt(sql)));
    }
    return Step(statement, sql, parameters);
  }

  StatusOr<Rows> Control(const char* sql) override {
    own_ = true;
    StatusOr<sqlite3_stmt*> statement = Find(sql);
    StatusOr<Rows> rows = statement.ok() ? Step(*statement, sql, {}) : statement.status();
    own_ = false;
    return rows;
  }

  bool InTransaction() const override { return sqlite3_get_autocommit(handle_.get()) == 0; }
  int64_t log_pages() const override { return log_pages_; }

  Status Checkpoint(bool truncate) override {
    int in_log = 0, copied = 0;
    sqlite3_busy_timeout(handle_.get(), 0);
    const int code = sqlite3_wal_checkpoint_v2(
        handle_.get(), nullptr, truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE,
        &in_log, &copied);
    sqlite3_busy_timeout(handle_.get(), busy_ms_);
    if (code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY) {
      if (in_log >= 0 && in_log == copied) log_pages_ = 0;
      return absl::OkStatus();
    }
    return Error(code, "checkpoint");
  }

  bool sync_failed() const override { return sync_failed_; }
  void set_busy_ms(int busy_ms) { busy_ms_ = busy_ms; }

 private:
  Status Error(int code, std::string_view sql) {
    const int extended = sqlite3_extended_errcode(handle_.get());
    const int known = (extended & 0xff) == (code & 0xff) ? extended : code;
    if (known == SQLITE_IOERR_FSYNC || known == SQLITE_IOERR_DIR_FSYNC) sync_failed_ = true;
    return {CodeOf(known), Cat("sqlite: ", sqlite3_errmsg(handle_.get()), " (", known, "); ",
                               NextStep(known), "; in: ", Excerpt(sql))};
  }

  StatusOr<sqlite3_stmt*> Find(std::string_view sql) {
    const std::string key(sql);
    auto& statements = statements_[own_];  // apart: a caller may not run what the adapter may
    if (const auto found = statements.find(key); found != statements.end()) {
      return found->second.get();
    }
    sqlite3_stmt* raw = nullptr;
    const char* rest = nullptr;
    const int code = sqlite3_prepare_v3(handle_.get(), key.data(), static_cast<int>(key.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, &rest);
    Statement statement(raw);
    if (code != SQLITE_OK) return Error(code, sql);
    const std::string_view tail(rest, static_cast<size_t>(key.data() + key.size() - rest));
    if (raw == nullptr || tail.find_first_not_of(" \t\n;") != std::string_view::npos) {
      return absl::InvalidArgumentError(
          Cat("sqlite: not one statement; call once for each; in: ", Excerpt(sql)));
    }
    if (statements.size() >= kMaxStatements) statements.clear();
    return statements.emplace(key, std::move(statement)).first->second.get();
  }

  Status Bind(sqlite3_stmt* statement, std::string_view sql, std::span<const Value> parameters) {
    size_t highest = 0;
    for (int i = 1; i <= sqlite3_bind_parameter_count(statement); ++i) {
      const char* name = sqlite3_bind_parameter_name(statement, i);
      size_t number = 0;
      if (name == nullptr || name[0] != '$' ||
          std::from_chars(name + 1, name + std::strlen(name), number).ec != std::errc() ||
          number < 1) {
        return absl::InvalidArgumentError(
            Cat("sqlite: parameters are $1, $2, ...; in: ", Excerpt(sql)));
      }
      if (number > highest) highest = number;
      if (number > parameters.size()) continue;
      const int code = BindOne(statement, i, parameters[number - 1]);
      if (code != SQLITE_OK) return Error(code, sql);
    }
    if (highest != parameters.size()) {
      return absl::InvalidArgumentError(Cat("sqlite: ", parameters.size(), " parameters for ",
                                            highest, "; give one for each; in: ", Excerpt(sql)));
    }
    return absl::OkStatus();
  }

  StatusOr<Rows> Step(sqlite3_stmt* statement, std::string_view sql,
                      std::span<const Value> parameters) {
    Rows out;
    Status status = Bind(statement, sql, parameters);
    const int64_t before = sqlite3_total_changes64(handle_.get());
    while (status.ok()) {
      const int code = sqlite3_step(statement);
      if (code == SQLITE_DONE) break;
      if (code != SQLITE_ROW) {
        status = Error(code, sql);
        break;
      }
      Row& row = out.rows.emplace_back();
      const int columns = sqlite3_column_count(statement);
      row.reserve(static_cast<size_t>(columns));
      for (int i = 0; i < columns; ++i) row.push_back(ColumnOf(statement, i));
    }
    // The total does not move where nothing was written; the last statement's count would be stale.
    if (sqlite3_total_changes64(handle_.get()) != before) {
      out.changed = sqlite3_changes64(handle_.get());
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (!status.ok()) return status;
    return out;
  }

  Handle handle_;
  std::unordered_map<std::string, Statement> statements_[2];
  const Role role_;
  bool own_ = false;  ///< the running statement is the adapter's
  bool sync_failed_ = false;
  int64_t log_pages_ = 0;
  int busy_ms_ = 0;
};

}  // namespace

StatusOr<std::unique_ptr<SqliteConnection>> SqliteConnection::Open(const std::string& path,
                                                                   Role role, double busy_s) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                       SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE,
                                   nullptr);
  Handle handle(raw);
  if (code != SQLITE_OK) {
    return Status(CodeOf(code),
                  Cat(path, ": sqlite: ", sqlite3_errstr(code), "; ", NextStep(code)));
  }
  auto connection = std::make_unique<Connection>(std::move(handle), role);
  connection->set_busy_ms(static_cast<int>(busy_s * 1000));
  if (Status status = connection->Prepare(busy_s); !status.ok()) {
    return Status(status.code(), Cat(path, ": ", status.message()));
  }
  return std::unique_ptr<SqliteConnection>(std::move(connection));
}

}  // namespace saferl::storage
