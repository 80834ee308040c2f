#include "saferl/services/rollouts/evidence_store.h"

#include <map>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

using storage::AsDouble;
using storage::AsInt;
using storage::Row;
using storage::Rows;

constexpr storage::Migration kMigrations[] = {
    {.number = 1,
     .name = "what robots did in rollouts",
     .sql = "CREATE TABLE rollout_evidence (rollout_id text NOT NULL, robot text NOT NULL, at_ns "
            "bigint NOT NULL, canary bigint NOT NULL, seconds double precision NOT NULL, hard "
            "bigint NOT NULL, violations bigint NOT NULL, interventions bigint NOT NULL, deadlines "
            "bigint NOT NULL, PRIMARY KEY (rollout_id, at_ns, robot))"}};

constexpr int64_t kShareOver_ns = 10 * kNanosPerSecond;
constexpr int64_t kMostBad = 100'000;  ///< in one report

}  // namespace

StatusOr<std::unique_ptr<EvidenceStore>> EvidenceStore::Open(storage::Database* database) {
  SAFERL_RETURN_IF_ERROR(storage::Migrate("rollout_evidence", kMigrations, database));
  return std::unique_ptr<EvidenceStore>(new EvidenceStore(database));
}

Status EvidenceStore::Report(const RobotReport& report) {
  SAFERL_RETURN_IF_ERROR(registry::CheckName("robot", report.robot));
  if (!(report.seconds > 0 && report.seconds <= 3600))
    return absl::InvalidArgumentError(
        Cat("seconds: ", report.seconds, " is not in (0, 3600]; report more often"));
  for (const int64_t count : report.bad) {
    if (count < 0 || count > kMostBad)
      return absl::InvalidArgumentError(
          Cat("bad: ", count, " is not in [0, ", kMostBad, "]; report more often"));
  }
  return database_
      ->Execute(
          "INSERT INTO rollout_evidence (rollout_id, robot, at_ns, canary, seconds, hard, "
          "violations, interventions, deadlines) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON "
          "CONFLICT (rollout_id, at_ns, robot) DO NOTHING",
          {report.rollout, report.robot, report.at_ns, int64_t{report.on_canary}, report.seconds,
           report.bad[0], report.bad[1], report.bad[2], report.bad[3]})
      .status();
}

StatusOr<ArmEvidence> EvidenceStore::Read(const registry::Rollout& rollout, int64_t since_ns) {
  SAFERL_ASSIGN_OR_RETURN(
      const Rows rows,
      database_->Query("SELECT at_ns, canary, seconds, hard, violations, interventions, deadlines "
                       "FROM rollout_evidence WHERE rollout_id = $1 AND at_ns >= $2 ORDER BY at_ns",
                       {rollout.id, since_ns}));
  struct Exposed {
    double canary = 0, all = 0;
  };
  std::map<int64_t, Exposed> exposed;
  for (const Row& row : rows.rows) {
    Exposed& at = exposed[AsInt(row[0]) / kShareOver_ns];
    at.all += AsDouble(row[2]);
    if (AsInt(row[1]) == 1) at.canary += AsDouble(row[2]);
  }
  ArmEvidence evidence;
  for (const Row& row : rows.rows) {
    const int64_t at_ns = AsInt(row[0]);
    const bool canary = AsInt(row[1]) == 1;
    (canary ? evidence.canary_h : evidence.stable_h) += AsDouble(row[2]) / 3600;
    (canary ? evidence.canary_ns : evidence.stable_ns) = at_ns;
    const Exposed& at = exposed[at_ns / kShareOver_ns];
    for (size_t k = 0; k < static_cast<size_t>(BadKind::kCount); ++k) {
      const BadEvent event{at_ns, static_cast<BadKind>(k), canary, at.canary / at.all};
      evidence.events.insert(evidence.events.end(), static_cast<size_t>(AsInt(row[3 + k])), event);
    }
  }
  return evidence;
}

}  // namespace saferl::services
