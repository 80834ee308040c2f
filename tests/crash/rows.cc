#include "tests/crash/rows.h"

#include <map>

#include "saferl/base/text.h"

namespace saferl::crash {
namespace {

using storage::AsBlob;
using storage::AsInt;
using storage::Blob;
using storage::Database;
using storage::Migration;
using storage::Row;
using storage::Rows;
using storage::Transaction;

constexpr Migration kSchema[] = {
    {1, "rows",
     "CREATE TABLE kept (id bigint PRIMARY KEY, content bytea NOT NULL);\n"
     "CREATE TABLE twins (id bigint PRIMARY KEY REFERENCES kept (id));\n"
     "CREATE TABLE counter (id bigint PRIMARY KEY, n bigint NOT NULL);\n"
     "INSERT INTO counter (id, n) VALUES (1, 0);\n"}};

/// Up to 3 kB that follow from the number.
std::string ContentOf(int64_t id) {
  std::string out(static_cast<size_t>(id * 7919 % 3000), '\0');
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<char>(static_cast<size_t>(id) * 31 + i);
  }
  return out;
}

}  // namespace

StatusOr<std::unique_ptr<Database>> OpenRows(const std::string& directory) {
  SAFERL_ASSIGN_OR_RETURN(
      auto database,
      storage::OpenDatabase({.url = Cat("sqlite:", directory, "/rows.db"), .wait_s = 30}));
  SAFERL_RETURN_IF_ERROR(storage::Migrate("crash", kSchema, database.get()));
  return database;
}

Status AddRow(Database* database, int64_t id) {
  return database->Transact([&](Transaction& t) -> Status {
    SAFERL_RETURN_IF_ERROR(
        t.Execute("INSERT INTO kept (id, content) VALUES ($1, $2)", {id, Blob{ContentOf(id)}})
            .status());
    SAFERL_RETURN_IF_ERROR(t.Execute("INSERT INTO twins (id) VALUES ($1)", {id}).status());
    return t.Execute("UPDATE counter SET n = n + 1 WHERE id = 1").status();
  });
}

Status VerifyRows(const std::string& directory, const std::set<uint64_t>& acknowledged) {
  SAFERL_ASSIGN_OR_RETURN(const auto database, OpenRows(directory));
  SAFERL_RETURN_IF_ERROR(database->CheckIntegrity());
  SAFERL_ASSIGN_OR_RETURN(const Rows rows,
                          database->Query("SELECT kept.id, kept.content, twins.id FROM kept "
                                          "LEFT JOIN twins ON twins.id = kept.id"));
  std::set<uint64_t> found;
  for (const Row& row : rows.rows) {
    const int64_t id = AsInt(row[0]);
    found.insert(static_cast<uint64_t>(id));
    if (IsNull(row[2])) return absl::DataLossError(Cat("row ", id, ": half a transaction"));
    if (AsBlob(row[1]) != ContentOf(id)) {
      return absl::DataLossError(Cat("row ", id, ": wrong content"));
    }
  }
  for (const uint64_t id : acknowledged) {
    if (!found.contains(id)) return absl::DataLossError(Cat("row ", id, ": acknowledged and lost"));
  }
  SAFERL_ASSIGN_OR_RETURN(const Rows counter,
                          database->Query("SELECT n FROM counter WHERE id = 1"));
  if (AsInt(counter.rows.at(0).at(0)) != static_cast<int64_t>(found.size())) {
    return absl::DataLossError(
        Cat("the counter says ", AsInt(counter.rows[0][0]), " of ", found.size(), " rows"));
  }
  return database->Check();
}

}  // namespace saferl::crash
