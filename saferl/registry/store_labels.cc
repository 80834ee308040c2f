// What is said about versions: stages, tags, aliases, serving.
#include <array>

#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/registry/store.h"
#include "saferl/registry/store_rows.h"

namespace saferl::registry {

using storage::AsInt;
using storage::AsText;
using storage::Row;
using storage::Rows;
using storage::Transaction;

namespace {

constexpr std::array<std::string_view, 4> kStages = {"None", "Staging", "Production", "Archived"};
constexpr size_t kMaxKey = 250, kMaxValue = 5000;

StatusOr<std::string> CanonicalStage(std::string_view stage) {
  for (const std::string_view known : kStages) {
    bool same = known.size() == stage.size();
    for (size_t i = 0; same && i < known.size(); ++i) same = (known[i] | 32) == (stage[i] | 32);
    if (same) return std::string(known);
  }
  return absl::InvalidArgumentError(Cat("stage: '", JsonEscape(stage.substr(0, 40)),
                                        "' is not one of None, Staging, Production, Archived"));
}

Status CheckTag(const std::string& key, const std::string& value) {
  if (key.empty() || key.size() > kMaxKey)
    return absl::InvalidArgumentError(
        Cat("tag: key of ", key.size(), " bytes; give 1 to ", kMaxKey));
  if (value.size() > kMaxValue)
    return absl::InvalidArgumentError(
        Cat("tag: value of ", value.size(), " bytes; at most ", kMaxValue));
  return absl::OkStatus();
}

/// The model's id; with a number, also that the version is there.
StatusOr<std::string> Target(Transaction& t, const std::string& model, int64_t number) {
  SAFERL_ASSIGN_OR_RETURN(std::string id, ModelId(t, model));
  if (number != 0) SAFERL_RETURN_IF_ERROR(LiveDigest(t, id, model, number).status());
  return id;
}

}  // namespace

Status Store::SetStage(const std::string& model, int64_t number, const std::string& stage,
                       bool exclusive, const std::string& who) {
  SAFERL_ASSIGN_OR_RETURN(const std::string to, CanonicalStage(stage));
  if (exclusive && to != "Staging" && to != "Production")
    return absl::InvalidArgumentError(
        "archive_existing_versions: only with stage Staging or Production; leave it false");
  return database_->Transact([&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(const std::string id, Target(t, model, number));
    if (exclusive) {
      SAFERL_ASSIGN_OR_RETURN(
          const Rows others,
          t.Execute("UPDATE registry_versions SET stage = 'Archived' WHERE model_id = $1 AND "
                    "stage = $2 AND number <> $3 AND live_digest IS NOT NULL RETURNING number",
                    {id, to, number}));
      for (const Row& row : others.rows) {
        SAFERL_RETURN_IF_ERROR(AddEvent(t, id,
                                        {.at_ns = now(),
                                         .number = AsInt(row[0]),
                                         .kind = "stage",
                                         .who = who,
                                         .detail = "Archived"}));
      }
    }
    SAFERL_RETURN_IF_ERROR(
        t.Execute("UPDATE registry_versions SET stage = $3 WHERE model_id = $1 AND number = $2",
                  {id, number, to})
            .status());
    return AddEvent(t, id,
                    {.at_ns = now(), .number = number, .kind = "stage", .who = who, .detail = to});
  });
}

Status Store::SetTag(const std::string& model, int64_t number, const Tag& tag,
                     const std::string& who) {
  SAFERL_RETURN_IF_ERROR(CheckTag(tag.key, tag.value));
  return database_->Transact([&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(const std::string id, Target(t, model, number));
    SAFERL_RETURN_IF_ERROR(
        t.Execute("INSERT INTO registry_tags (model_id, number, key, value) VALUES ($1, $2, $3, "
                  "$4) ON CONFLICT (model_id, number, key) DO UPDATE SET value = excluded.value",
                  {id, number, tag.key, tag.value})
            .status());
    return AddEvent(t, id,
                    {.at_ns = now(),
                     .number = number,
                     .kind = "tag",
                     .who = who,
                     .detail = Cat(tag.key, "=", tag.value)});
  });
}

Status Store::DeleteTag(const std::string& model, int64_t number, const std::string& key,
                        const std::string& who) {
  SAFERL_RETURN_IF_ERROR(CheckTag(key, ""));
  return database_->Transact([&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(const std::string id, Target(t, model, number));
    SAFERL_ASSIGN_OR_RETURN(
        const Rows gone,
        t.Execute("DELETE FROM registry_tags WHERE model_id = $1 AND number = $2 AND key = $3",
                  {id, number, key}));
    if (gone.changed == 0) return absl::OkStatus();
    return AddEvent(
        t, id,
        {.at_ns = now(), .number = number, .kind = "tag", .who = who, .detail = Cat("-", key)});
  });
}

Status Store::SetAlias(const std::string& model, const std::string& alias, int64_t number,
                       const std::string& who) {
  SAFERL_RETURN_IF_ERROR(CheckAlias(alias));
  return database_->Transact([&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(const std::string id, ModelId(t, model));
    SAFERL_ASSIGN_OR_RETURN(const std::string digest, LiveDigest(t, id, model, number));
    return MoveAlias(t, id, alias, number, digest, who, now());
  });
}

Status Store::DeleteAlias(const std::string& model, const std::string& alias,
                          const std::string& who) {
  SAFERL_RETURN_IF_ERROR(CheckAlias(alias));
  return database_->Transact([&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(const std::string id, ModelId(t, model));
    SAFERL_ASSIGN_OR_RETURN(
        const Rows gone,
        t.Execute("DELETE FROM registry_aliases WHERE model_id = $1 AND alias = $2", {id, alias}));
    if (gone.changed == 0) return absl::OkStatus();
    return AddEvent(t, id, {.at_ns = now(), .kind = "unalias", .who = who, .detail = alias});
  });
}

Status Store::RecordServing(const std::string& model, int64_t number, const std::string& node,
                            bool begins) {
  SAFERL_RETURN_IF_ERROR(CheckName("node", node));
  return database_->Transact([&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(const std::string id, Target(t, model, number));
    return AddObservation(
        t, id,
        {.at_ns = now(), .number = number, .kind = begins ? "serving" : "served", .who = node});
  });
}

}  // namespace saferl::registry
