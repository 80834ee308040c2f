#include <algorithm>
#include <map>

#include "saferl/base/hash.h"
#include "saferl/base/text.h"
#include "saferl/storage/database.h"

namespace saferl::storage {
namespace {

struct Applied {
  std::string sha256;
  int64_t unused_since = 0;
};

std::vector<std::string_view> Statements(std::string_view sql) {
  std::vector<std::string_view> out;
  while (!sql.empty()) {
    const size_t end = std::min(sql.find(";\n"), sql.size());
    const std::string_view statement = sql.substr(0, end);
    if (statement.find_first_not_of(" \t\n;") != std::string_view::npos) out.push_back(statement);
    sql.remove_prefix(std::min(end + 2, sql.size()));
  }
  return out;
}

/// What the program itself brings: numbers 1, 2, 3, ... and no promise about the future.
Status CheckList(std::string_view component, std::span<const Migration> migrations) {
  for (size_t i = 0; i < migrations.size(); ++i) {
    const Migration& m = migrations[i];
    if (m.number != static_cast<int>(i) + 1) {
      return absl::InvalidArgumentError(Cat("migration ", component, " ", m.number, " (", m.name,
                                            "): out of order; expected number ", i + 1));
    }
    if (m.unused_since < 0 || m.unused_since >= m.number) {
      return absl::InvalidArgumentError(Cat("migration ", component, " ", m.number, " (", m.name,
                                            "): unused_since ", m.unused_since,
                                            " is not below it; name an earlier migration"));
    }
  }
  return absl::OkStatus();
}

/// Where the schema is newer than the program: may the program still run?
Status CheckNewer(std::string_view component, int64_t last_known,
                  const std::map<int64_t, Applied>& applied) {
  for (const auto& [number, migration] : applied) {
    if (number > last_known && migration.unused_since > last_known) {
      return absl::FailedPreconditionError(Cat("schema of ", component, ": migration ", number,
                                               " took away what this program (", last_known,
                                               ") still uses; start a program of migration ",
                                               migration.unused_since, " or later"));
    }
  }
  return absl::OkStatus();
}

Status ApplyOne(std::string_view component, const Migration& migration, Transaction& transaction) {
  for (const std::string_view statement : Statements(migration.sql)) {
    if (StatusOr<Rows> done = transaction.Execute(statement); !done.ok()) {
      return {done.status().code(), Cat("migration ", component, " ", migration.number, " (",
                                        migration.name, "): ", done.status().message())};
    }
  }
  return transaction
      .Execute(
          "INSERT INTO saferl_migrations (component, number, name, sha256, unused_since) "
          "VALUES ($1, $2, $3, $4, $5)",
          {std::string(component), migration.number, migration.name, Sha256Hex(migration.sql),
           migration.unused_since})
      .status();
}

Status ApplyMissing(std::string_view component, std::span<const Migration> migrations,
                    Transaction& transaction) {
  SAFERL_RETURN_IF_ERROR(
      transaction
          .Execute("CREATE TABLE IF NOT EXISTS saferl_migrations (component text NOT NULL, "
                   "number bigint NOT NULL, name text NOT NULL, sha256 text NOT NULL, "
                   "unused_since bigint NOT NULL, PRIMARY KEY (component, number))")
          .status());
  SAFERL_ASSIGN_OR_RETURN(
      const Rows rows,
      transaction.Execute("SELECT number, sha256, unused_since FROM saferl_migrations "
                          "WHERE component = $1 ORDER BY number",
                          {std::string(component)}));
  std::map<int64_t, Applied> applied;
  for (const Row& row : rows.rows) applied[AsInt(row[0])] = {AsText(row[1]), AsInt(row[2])};
  SAFERL_RETURN_IF_ERROR(CheckNewer(component, static_cast<int64_t>(migrations.size()), applied));
  const int64_t last = applied.empty() ? 0 : applied.rbegin()->first;
  for (const Migration& migration : migrations) {
    const auto found = applied.find(migration.number);
    if (found == applied.end()) {
      if (migration.number < last) {
        return absl::FailedPreconditionError(Cat("schema of ", component, ": migration ",
                                                 migration.number, " is missing below ", last,
                                                 "; restore the last backup"));
      }
      SAFERL_RETURN_IF_ERROR(ApplyOne(component, migration, transaction));
    } else if (found->second.sha256 != Sha256Hex(migration.sql)) {
      return absl::FailedPreconditionError(
          Cat("migration ", component, " ", migration.number, " (", migration.name,
              "): its text is not the one that was applied; add a new migration instead"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

Status Migrate(std::string_view component, std::span<const Migration> migrations,
               Database* database) {
  SAFERL_RETURN_IF_ERROR(CheckList(component, migrations));
  return database->TransactExclusively("saferl_migrations", [&](Transaction& transaction) {
    return ApplyMissing(component, migrations, transaction);
  });
}

}  // namespace saferl::storage
