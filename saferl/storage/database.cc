#include "saferl/storage/database.h"

#include "saferl/base/text.h"
#include "saferl/storage/adapters.h"

namespace saferl::storage {
namespace {

const std::string& Empty() {
  static const std::string* empty = new std::string;
  return *empty;
}

}  // namespace

int64_t AsInt(const Value& value) {
  if (const auto* i = std::get_if<int64_t>(&value)) return *i;
  // 2^63 is the first double that does not fit.
  if (const auto* d = std::get_if<double>(&value); d && *d >= -0x1p63 && *d < 0x1p63) {
    return static_cast<int64_t>(*d);
  }
  return 0;
}

double AsDouble(const Value& value) {
  if (const auto* d = std::get_if<double>(&value)) return *d;
  if (const auto* i = std::get_if<int64_t>(&value)) return static_cast<double>(*i);
  return 0;
}

const std::string& AsText(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text ? *text : Empty();
}

const std::string& AsBlob(const Value& value) {
  const auto* blob = std::get_if<Blob>(&value);
  return blob ? blob->bytes : Empty();
}

StatusOr<Rows> Database::Execute(std::string_view sql, std::span<const Value> parameters) {
  Rows out;
  SAFERL_RETURN_IF_ERROR(Transact([&](Transaction& transaction) -> Status {
    SAFERL_ASSIGN_OR_RETURN(out, transaction.Execute(sql, parameters));
    return absl::OkStatus();
  }));
  return out;
}

StatusOr<std::unique_ptr<Database>> OpenDatabase(const DatabaseOptions& options) {
  if (options.pool < 1) {
    return absl::InvalidArgumentError("database: pool: below 1; give a number of connections");
  }
  if (!(options.wait_s > 0)) {
    return absl::InvalidArgumentError("database: wait_s: not positive; give seconds");
  }
  if (!(options.statement_s > 0)) {
    return absl::InvalidArgumentError("database: statement_s: not positive; give seconds");
  }
  if (options.url.starts_with("sqlite:")) return OpenSqlite(options);
  if (options.url.starts_with("postgresql://") || options.url.starts_with("postgres://")) {
    return OpenPostgres(options);
  }
  // The text itself may hold a password: only the part before the colon is shown.
  return absl::InvalidArgumentError(Cat("database: url: unknown scheme '",
                                        options.url.substr(0, options.url.find(':')),
                                        "'; use sqlite:PATH or postgresql://user@host:port/name"));
}

}  // namespace saferl::storage
