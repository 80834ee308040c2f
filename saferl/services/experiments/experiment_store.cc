#include "saferl/services/experiments/experiment_store.h"

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/net/trace_context.h"

namespace saferl::services {
namespace {

using storage::AsInt;
using storage::AsText;

constexpr std::string_view kColumns =
    "id, name, task, algorithm, seed, config, iterations, status, iteration, steps, metrics, "
    "artifact_sha256, reason, created_ns, updated_ns, finished_ns";

constexpr storage::Migration kMigrations[] = {
    {1, "experiments",
     "CREATE TABLE experiments (id text NOT NULL PRIMARY KEY, name text NOT NULL, task text NOT "
     "NULL, algorithm text NOT NULL, seed bigint NOT NULL, config text NOT NULL, iterations bigint "
     "NOT NULL, status text NOT NULL, iteration bigint NOT NULL, steps bigint NOT NULL, metrics "
     "text NOT NULL, artifact_sha256 text NOT NULL, reason text NOT NULL, created_ns bigint NOT "
     "NULL, updated_ns bigint NOT NULL, finished_ns bigint NOT NULL);\n"
     "CREATE INDEX experiments_by_time ON experiments (created_ns, id)"}};

Experiment FromRow(const storage::Row& row) {
  Experiment e;
  e.id = AsText(row[0]);
  e.name = AsText(row[1]);
  e.task = AsText(row[2]);
  e.algorithm = AsText(row[3]);
  e.seed = AsInt(row[4]);
  e.config = AsText(row[5]);
  e.iterations = AsInt(row[6]);
  e.status = AsText(row[7]);
  e.iteration = AsInt(row[8]);
  e.steps = AsInt(row[9]);
  e.metrics = AsText(row[10]);
  e.artifact_sha256 = AsText(row[11]);
  e.reason = AsText(row[12]);
  e.created_ns = AsInt(row[13]);
  e.updated_ns = AsInt(row[14]);
  e.finished_ns = AsInt(row[15]);
  return e;
}

Status Missing(const std::string& id) {
  return absl::NotFoundError(
      Cat("experiment '", id.substr(0, 64), "' is not known; GET /api/v1/experiments lists them"));
}

}  // namespace

StatusOr<std::unique_ptr<ExperimentStore>> ExperimentStore::Open(storage::Database* database) {
  SAFERL_RETURN_IF_ERROR(storage::Migrate("experiments", kMigrations, database));
  return std::unique_ptr<ExperimentStore>(new ExperimentStore(database));
}

StatusOr<Experiment> ExperimentStore::Create(Experiment e) {
  e.id = net::RandomHex(8);
  e.created_ns = e.updated_ns = WallNanos();
  SAFERL_RETURN_IF_ERROR(
      database_
          ->Execute(Cat("INSERT INTO experiments (", kColumns,
                        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, "
                        "$15, $16)"),
                    {e.id, e.name, e.task, e.algorithm, e.seed, e.config, e.iterations, e.status,
                     e.iteration, e.steps, e.metrics, e.artifact_sha256, e.reason, e.created_ns,
                     e.updated_ns, e.finished_ns})
          .status());
  return e;
}

StatusOr<Experiment> ExperimentStore::Get(const std::string& id) const {
  SAFERL_ASSIGN_OR_RETURN(
      const storage::Rows found,
      database_->Query(Cat("SELECT ", kColumns, " FROM experiments WHERE id = $1"), {id}));
  if (found.rows.empty()) return Missing(id);
  return FromRow(found.rows[0]);
}

StatusOr<std::vector<Experiment>> ExperimentStore::List(
    const ExperimentFilter& filter, int limit,
    const std::optional<std::pair<int64_t, std::string>>& after) const {
  std::string sql =
      Cat("SELECT ", kColumns, " FROM experiments WHERE created_ns >= $1 AND created_ns <= $2");
  std::vector<storage::Value> values = {filter.from_ns, filter.to_ns};
  for (const auto& [column, value] :
       {std::pair{"name", &filter.name}, std::pair{"task", &filter.task},
        std::pair{"algorithm", &filter.algorithm}, std::pair{"status", &filter.status},
        std::pair{"artifact_sha256", &filter.artifact_sha256}}) {
    if (value->empty()) continue;
    values.emplace_back(*value);
    sql += Cat(" AND ", column, " = $", values.size());
  }
  if (filter.seed) {
    values.emplace_back(*filter.seed);
    sql += Cat(" AND seed = $", values.size());
  }
  if (after) {
    values.emplace_back(after->first);
    values.emplace_back(after->second);
    const std::string at = Cat("$", values.size() - 1), id = Cat("$", values.size());
    sql += Cat(" AND (created_ns < ", at, " OR (created_ns = ", at, " AND id < ", id, "))");
  }
  values.emplace_back(int64_t{limit});
  sql += Cat(" ORDER BY created_ns DESC, id DESC LIMIT $", values.size());
  SAFERL_ASSIGN_OR_RETURN(const storage::Rows rows, database_->Query(sql, values));
  std::vector<Experiment> experiments;
  for (const storage::Row& row : rows.rows) experiments.push_back(FromRow(row));
  return experiments;
}

StatusOr<Experiment> ExperimentStore::Change(const std::string& id,
                                             const std::function<Status(Experiment*)>& change) {
  Experiment e;
  const Status changed = database_->Transact([&](storage::Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(
        const storage::Rows found,
        t.Execute(Cat("SELECT ", kColumns, " FROM experiments WHERE id = $1"), {id}));
    if (found.rows.empty()) return Missing(id);
    e = FromRow(found.rows[0]);
    if (e.status != "running")
      return absl::AbortedError(
          Cat("experiment '", id, "' has ended (", e.status, ") and changes no more"));
    SAFERL_RETURN_IF_ERROR(change(&e));
    e.updated_ns = WallNanos();
    if (e.status != "running") e.finished_ns = e.updated_ns;
    return t
        .Execute(
            "UPDATE experiments SET status = $1, iteration = $2, steps = $3, metrics = $4, "
            "artifact_sha256 = $5, reason = $6, updated_ns = $7, finished_ns = $8 WHERE id = "
            "$9",
            {e.status, e.iteration, e.steps, e.metrics, e.artifact_sha256, e.reason, e.updated_ns,
             e.finished_ns, id})
        .status();
  });
  if (!changed.ok()) return changed;
  return e;
}

}  // namespace saferl::services
