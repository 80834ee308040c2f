#include "saferl/services/rollouts/evidence_store.h"

#include <algorithm>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

using registry::Rollout;
using storage::AsDouble;
using storage::AsInt;
using storage::AsText;
using storage::Row;
using storage::Rows;
using storage::Transaction;

constexpr storage::Migration kMigrations[] = {
    {.number = 1,
     .name = "what robots did in rollouts",
     .sql = "CREATE TABLE rollout_evidence (rollout_id text NOT NULL, robot text NOT NULL, at_ns "
            "bigint NOT NULL, canary bigint NOT NULL, seconds double precision NOT NULL, hard "
            "bigint NOT NULL, violations bigint NOT NULL, interventions bigint NOT NULL, deadlines "
            "bigint NOT NULL, PRIMARY KEY (rollout_id, at_ns, robot))"},
    {.number = 2,
     .name = "sums by arm and slice of time",
     // Nothing ever reported into the table before.
     .sql = "DROP TABLE rollout_evidence;\n"
            "CREATE TABLE rollout_reports (rollout_id text NOT NULL, robot text NOT NULL, report "
            "text NOT NULL, PRIMARY KEY (rollout_id, robot, report));\n"
            "CREATE TABLE rollout_slices (rollout_id text NOT NULL, slice_ns bigint NOT NULL, "
            "canary bigint NOT NULL, newest_ns bigint NOT NULL, seconds double precision NOT NULL, "
            "hard bigint NOT NULL, violations bigint NOT NULL, interventions bigint NOT NULL, "
            "deadlines bigint NOT NULL, PRIMARY KEY (rollout_id, slice_ns, canary));\n"
            "CREATE TABLE rollout_evidence_kept (rollout_id text NOT NULL PRIMARY KEY, ended "
            "bigint NOT NULL)"},
    {.number = 3,
     .name = "refused help",
     .sql = "ALTER TABLE rollout_slices ADD COLUMN refusals bigint NOT NULL DEFAULT 0"}};

constexpr int64_t kSlice_ns = 10 * kNanosPerSecond;
constexpr int64_t kMostBad = 100'000;  ///< in one report
constexpr double kLongest_s = 3600;    ///< one report

Status CheckReport(const RobotReport& report) {
  SAFERL_RETURN_IF_ERROR(registry::CheckName("robot", report.robot));
  SAFERL_RETURN_IF_ERROR(registry::CheckName("report", report.id));
  if (!(report.seconds > 0 && report.seconds <= kLongest_s))
    return absl::InvalidArgumentError(
        Cat("seconds: ", report.seconds, " is not in (0, ", kLongest_s, "]; report more often"));
  for (size_t k = 0; k < kBadKinds; ++k) {
    if (report.bad[k] < 0 || report.bad[k] > kMostBad)
      return absl::InvalidArgumentError(Cat(kBadNames[k], ": ", report.bad[k], " is not in [0, ",
                                            kMostBad, "]; report more often"));
  }
  return absl::OkStatus();
}

Status CheckVersion(const Rollout& rollout, int64_t version) {
  if (!rollout.active)
    return absl::FailedPreconditionError(Cat("rollout ", rollout.id, " is ",
                                             Name(rollout.state.phase),
                                             ": it needs no reports any more"));
  if (version == rollout.to || version == rollout.from) return absl::OkStatus();
  return absl::InvalidArgumentError(Cat("version: ", version, " is not part of rollout ",
                                        rollout.id, "; report ", rollout.from, " or ", rollout.to));
}

Status AddToSlice(Transaction& t, const Rollout& rollout, const RobotReport& report, int64_t now) {
  const int64_t at = std::max(now, rollout.updated_ns);
  const int64_t slice = std::max(at - at % kSlice_ns, rollout.updated_ns);
  return t
      .Execute(
          "INSERT INTO rollout_slices (rollout_id, slice_ns, canary, newest_ns, seconds, hard, "
          "violations, interventions, deadlines, refusals) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, "
          "$9, $10) ON CONFLICT (rollout_id, slice_ns, canary) DO UPDATE SET newest_ns = CASE WHEN "
          "rollout_slices.newest_ns > excluded.newest_ns THEN rollout_slices.newest_ns ELSE "
          "excluded.newest_ns END, seconds = rollout_slices.seconds + excluded.seconds, hard = "
          "rollout_slices.hard + excluded.hard, violations = rollout_slices.violations + "
          "excluded.violations, interventions = rollout_slices.interventions + "
          "excluded.interventions, deadlines = rollout_slices.deadlines + excluded.deadlines, "
          "refusals = rollout_slices.refusals + excluded.refusals",
          {rollout.id, slice, int64_t{report.version == rollout.to}, at, report.seconds,
           report.bad[0], report.bad[1], report.bad[2], report.bad[3], report.bad[4]})
      .status();
}

}  // namespace

StatusOr<std::unique_ptr<EvidenceStore>> EvidenceStore::Open(registry::Store* store) {
  SAFERL_RETURN_IF_ERROR(storage::Migrate("rollout_evidence", kMigrations, store->database()));
  return std::unique_ptr<EvidenceStore>(new EvidenceStore(store));
}

StatusOr<bool> EvidenceStore::Report(const RobotReport& report) {
  SAFERL_RETURN_IF_ERROR(CheckReport(report));
  SAFERL_ASSIGN_OR_RETURN(const Rollout rollout, rollouts_.Find(report.rollout));
  SAFERL_RETURN_IF_ERROR(CheckVersion(rollout, report.version));
  bool counted = false;
  Status status = store_->database()->Transact([&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(
        const Rows added,
        t.Execute("INSERT INTO rollout_reports (rollout_id, robot, report) VALUES ($1, $2, $3) ON "
                  "CONFLICT (rollout_id, robot, report) DO NOTHING",
                  {report.rollout, report.robot, report.id}));
    counted = added.changed == 1;
    if (!counted) return absl::OkStatus();
    SAFERL_RETURN_IF_ERROR(t.Execute("INSERT INTO rollout_evidence_kept (rollout_id, ended) VALUES "
                                     "($1, 0) ON CONFLICT (rollout_id) DO NOTHING",
                                     {report.rollout})
                               .status());
    return AddToSlice(t, rollout, report, store_->now());
  });
  if (!status.ok()) return status;
  return counted;
}

StatusOr<ArmEvidence> EvidenceStore::Read(const Rollout& rollout, int64_t since_ns) {
  SAFERL_ASSIGN_OR_RETURN(
      const Rows rows, store_->database()->Query("SELECT slice_ns, canary, newest_ns, seconds, "
                                                 "hard, violations, interventions, deadlines, "
                                                 "refusals FROM rollout_slices WHERE rollout_id = "
                                                 "$1 AND slice_ns >= $2 ORDER BY slice_ns, canary",
                                                 {rollout.id, since_ns}));
  ArmEvidence evidence;
  for (size_t i = 0; i < rows.rows.size();) {
    EvidenceSlice slice;
    double canary_s = 0, stable_s = 0;
    for (const int64_t at = AsInt(rows.rows[i][0]);
         i < rows.rows.size() && AsInt(rows.rows[i][0]) == at; ++i) {
      const Row& row = rows.rows[i];
      const bool canary = AsInt(row[1]) == 1;
      (canary ? canary_s : stable_s) += AsDouble(row[3]);
      int64_t& newest = canary ? evidence.canary_ns : evidence.stable_ns;
      newest = std::max(newest, AsInt(row[2]));
      for (size_t k = 0; k < kBadKinds; ++k)
        (canary ? slice.canary : slice.stable)[k] = AsInt(row[4 + k]);
    }
    slice.canary_share = canary_s / (canary_s + stable_s);
    evidence.canary_h += canary_s / 3600;
    evidence.stable_h += stable_s / 3600;
    evidence.slices.push_back(slice);
  }
  return evidence;
}

Status EvidenceStore::Collapse(const std::string& rollout) {
  return store_->database()->Transact([&](Transaction& t) -> Status {
    SAFERL_RETURN_IF_ERROR(
        t.Execute("DELETE FROM rollout_reports WHERE rollout_id = $1", {rollout}).status());
    SAFERL_ASSIGN_OR_RETURN(
        const Rows sums,
        t.Execute("SELECT min(slice_ns), canary, max(newest_ns), sum(seconds), "
                  "CAST(sum(hard) AS bigint), CAST(sum(violations) AS bigint), "
                  "CAST(sum(interventions) AS bigint), CAST(sum(deadlines) AS bigint), "
                  "CAST(sum(refusals) AS bigint) FROM rollout_slices WHERE rollout_id = $1 GROUP "
                  "BY canary",
                  {rollout}));
    SAFERL_RETURN_IF_ERROR(
        t.Execute("DELETE FROM rollout_slices WHERE rollout_id = $1", {rollout}).status());
    int64_t first = INT64_MAX;
    for (const Row& row : sums.rows) first = std::min(first, AsInt(row[0]));
    for (const Row& row : sums.rows) {
      Row kept = row;
      kept[0] = first;
      kept.insert(kept.begin(), rollout);
      SAFERL_RETURN_IF_ERROR(
          t.Execute("INSERT INTO rollout_slices (rollout_id, slice_ns, canary, newest_ns, seconds, "
                    "hard, violations, interventions, deadlines, refusals) VALUES ($1, $2, $3, $4, "
                    "$5, $6, $7, $8, $9, $10)",
                    kept)
              .status());
    }
    return t.Execute("UPDATE rollout_evidence_kept SET ended = 1 WHERE rollout_id = $1", {rollout})
        .status();
  });
}

Status EvidenceStore::Tidy() {
  SAFERL_ASSIGN_OR_RETURN(
      const Rows open,
      store_->database()->Query("SELECT rollout_id FROM rollout_evidence_kept WHERE ended = 0"));
  for (const Row& row : open.rows) {
    SAFERL_ASSIGN_OR_RETURN(const Rollout rollout, rollouts_.Find(AsText(row[0])));
    if (!rollout.active) SAFERL_RETURN_IF_ERROR(Collapse(rollout.id));
  }
  return absl::OkStatus();
}

}  // namespace saferl::services
