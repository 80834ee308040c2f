#include "saferl/registry/store_rows.h"

#include "saferl/base/json.h"
#include "saferl/base/text.h"

namespace saferl::registry {

using storage::AsInt;
using storage::AsText;
using storage::Row;
using storage::Rows;
using storage::Transaction;

const char* const kSelectVersion =
    "SELECT v.model_id, m.name, v.number, v.digest, v.bytes, v.robot, v.author, v.description, "
    "v.stage, v.run_id, v.run_link, v.data, v.code_commit, v.config_sha256, v.seed, v.task, "
    "v.algorithm, v.created_ns, v.updated_ns, q.reason "
    "FROM registry_models m JOIN registry_versions v ON v.model_id = m.id "
    "LEFT JOIN registry_quarantines q ON q.digest = v.digest AND q.released_ns IS NULL ";

Version VersionOf(const Row& row) {
  Version v;
  v.model_id = AsText(row[0]);
  v.model = AsText(row[1]);
  v.number = AsInt(row[2]);
  v.digest = AsText(row[3]);
  v.bytes = AsInt(row[4]);
  v.robot = AsText(row[5]);
  v.author = AsText(row[6]);
  v.description = AsText(row[7]);
  v.stage = AsText(row[8]);
  v.run_id = AsText(row[9]);
  v.run_link = AsText(row[10]);
  v.lineage = {AsText(row[11]), AsText(row[12]), AsText(row[13]),
               AsText(row[14]), AsText(row[15]), AsText(row[16])};
  v.created_ns = AsInt(row[17]);
  v.updated_ns = AsInt(row[18]);
  v.quarantined = !storage::IsNull(row[19]);
  v.quarantine_reason = AsText(row[19]);
  return v;
}

Status NoModel(std::string_view name) {
  return absl::NotFoundError(Cat("model '", JsonEscape(name.substr(0, 128)),
                                 "' is not in the registry; `saferl registry list` names them"));
}

Status NoVersion(std::string_view model, std::string_view ref) {
  return absl::NotFoundError(Cat("model '", model, "' has no version or alias '",
                                 JsonEscape(ref.substr(0, 128)), "'; `saferl registry list ", model,
                                 "` names them"));
}

StatusOr<std::string> ModelId(Transaction& t, const std::string& name) {
  SAFERL_RETURN_IF_ERROR(CheckName("model", name));
  SAFERL_ASSIGN_OR_RETURN(const Rows rows,
                          t.Execute("SELECT id FROM registry_models WHERE name = $1", {name}));
  if (rows.rows.empty()) return NoModel(name);
  return AsText(rows.rows[0][0]);
}

StatusOr<std::string> LiveDigest(Transaction& t, const std::string& model_id,
                                 const std::string& model, int64_t number) {
  SAFERL_ASSIGN_OR_RETURN(
      const Rows rows,
      t.Execute("SELECT live_digest FROM registry_versions WHERE model_id = $1 AND number = $2",
                {model_id, number}));
  if (rows.rows.empty() || storage::IsNull(rows.rows[0][0])) return NoVersion(model, Cat(number));
  return AsText(rows.rows[0][0]);
}

namespace {

Status Append(Transaction& t, const std::string& model_id, const Event& event) {
  return t
      .Execute(
          "INSERT INTO registry_events (model_id, seq, number, at_ns, kind, who, detail) "
          "SELECT CAST($1 AS text), coalesce(max(seq), 0) + 1, CAST($2 AS bigint), "
          "CAST($3 AS bigint), CAST($4 AS text), CAST($5 AS text), CAST($6 AS text) "
          "FROM registry_events WHERE model_id = $1",
          {model_id, event.number, event.at_ns, event.kind, event.who, event.detail})
      .status();
}

}  // namespace

Status LockModel(Transaction& t, const std::string& model_id) {
  return t.Execute("UPDATE registry_models SET updated_ns = updated_ns WHERE id = $1", {model_id})
      .status();
}

Status AddObservation(Transaction& t, const std::string& model_id, const Event& event) {
  SAFERL_RETURN_IF_ERROR(LockModel(t, model_id));
  return Append(t, model_id, event);
}

Status AddEvent(Transaction& t, const std::string& model_id, const Event& event) {
  SAFERL_RETURN_IF_ERROR(
      t.Execute("UPDATE registry_models SET updated_ns = $2 WHERE id = $1", {model_id, event.at_ns})
          .status());
  SAFERL_RETURN_IF_ERROR(Append(t, model_id, event));
  if (event.number == 0) return absl::OkStatus();
  return t
      .Execute("UPDATE registry_versions SET updated_ns = $3 WHERE model_id = $1 AND number = $2",
               {model_id, event.number, event.at_ns})
      .status();
}

}  // namespace saferl::registry
