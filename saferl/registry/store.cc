#include "saferl/registry/store.h"

#include <algorithm>

#include "saferl/base/clock.h"
#include "saferl/base/hash.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/registry/schema.h"
#include "saferl/registry/store_rows.h"

namespace saferl::registry {

using storage::AsInt;
using storage::AsText;
using storage::Rows;
using storage::Transaction;

namespace {

constexpr size_t kMaxText = 5000;

Status CheckText(std::string_view what, std::string_view text) {
  if (text.size() <= kMaxText) return absl::OkStatus();
  return absl::InvalidArgumentError(
      Cat(what, ": ", text.size(), " bytes; at most ", kMaxText, " are kept"));
}

Status CheckRequest(const PushRequest& request) {
  SAFERL_RETURN_IF_ERROR(CheckName("model", request.model));
  SAFERL_RETURN_IF_ERROR(CheckName("who", request.who));
  if (request.number < 0)
    return absl::InvalidArgumentError(Cat("number: ", request.number, " is below 1"));
  const Lineage& l = request.lineage;
  for (const auto& [what, text] :
       {std::pair{"description", &request.description}, std::pair{"run_id", &request.run_id},
        std::pair{"run_link", &request.run_link}, std::pair{"data", &l.data},
        std::pair{"commit", &l.code_commit}, std::pair{"config_sha256", &l.config_sha256},
        std::pair{"seed", &l.seed}, std::pair{"task", &l.task},
        std::pair{"algorithm", &l.algorithm}}) {
    SAFERL_RETURN_IF_ERROR(CheckText(what, *text));
  }
  return absl::OkStatus();
}

/// What the pusher says, where the package is silent. A contradiction is an error: lineage that
/// depends on whom one asks is none.
StatusOr<Lineage> Merge(const Lineage& package, const Lineage& request) {
  Lineage merged = package;
  const auto take = [](const char* what, const std::string& says, std::string* into) -> Status {
    if (says.empty() || says == *into) return absl::OkStatus();
    if (!into->empty())
      return absl::InvalidArgumentError(Cat("lineage: ", what, ": the package says '", *into,
                                            "', the push '", JsonEscape(says), "'; leave it out"));
    *into = says;
    return absl::OkStatus();
  };
  SAFERL_RETURN_IF_ERROR(take("data", request.data, &merged.data));
  SAFERL_RETURN_IF_ERROR(take("commit", request.code_commit, &merged.code_commit));
  SAFERL_RETURN_IF_ERROR(take("config_sha256", request.config_sha256, &merged.config_sha256));
  SAFERL_RETURN_IF_ERROR(take("seed", request.seed, &merged.seed));
  SAFERL_RETURN_IF_ERROR(take("task", request.task, &merged.task));
  SAFERL_RETURN_IF_ERROR(take("algorithm", request.algorithm, &merged.algorithm));
  return merged;
}

Status InsertModel(Transaction& t, const std::string& name, const std::string& description,
                   const std::string& who, int64_t now) {
  const std::string id = Sha256Hex(Cat(name.size(), ":", name, now)).substr(0, 20);
  SAFERL_ASSIGN_OR_RETURN(
      const Rows rows,
      t.Execute("INSERT INTO registry_models (id, name, last_name, description, created_ns, "
                "updated_ns) VALUES ($1, $2, $2, $3, $4, $4) ON CONFLICT (name) DO NOTHING",
                {id, name, description, now}));
  if (rows.changed == 0)
    return absl::AlreadyExistsError(
        Cat("model '", name, "' is there; push versions to it, or choose another name"));
  return AddEvent(t, id, {.at_ns = now, .kind = "created", .who = who});
}

Status InsertVersion(Transaction& t, const PushRequest& r, const std::string& model_id,
                     const std::string& digest, const PackageFacts& facts, int64_t now,
                     int64_t* number) {
  SAFERL_ASSIGN_OR_RETURN(
      const Rows last,
      t.Execute("SELECT coalesce(max(number), 0) FROM registry_versions WHERE model_id = $1",
                {model_id}));
  const int64_t next = AsInt(last.rows[0][0]) + 1;
  *number = r.number == 0 ? next : r.number;
  if (*number < next)
    return absl::FailedPreconditionError(Cat("number: ", *number, " is not above ", next - 1,
                                             ", the last one of model '", r.model,
                                             "': numbers are never given twice; leave it out"));
  const Lineage& l = facts.lineage;
  SAFERL_RETURN_IF_ERROR(
      t.Execute(
           "INSERT INTO registry_versions (model_id, number, digest, live_digest, bytes, robot, "
           "author, description, stage, run_id, run_link, data, code_commit, config_sha256, seed, "
           "task, algorithm, created_ns, updated_ns) VALUES ($1, $2, $3, $3, $4, $5, $6, $7, "
           "'None', $8, $9, $10, $11, $12, $13, $14, $15, $16, $16)",
           {model_id, *number, digest, facts.bytes, facts.robot, r.who, r.description, r.run_id,
            r.run_link, l.data, l.code_commit, l.config_sha256, l.seed, l.task, l.algorithm, now})
          .status());
  return AddEvent(
      t, model_id,
      {.at_ns = now, .number = *number, .kind = "pushed", .who = r.who, .detail = digest});
}

}  // namespace

StatusOr<std::unique_ptr<Store>> Store::Open(storage::Database* database, storage::Objects* objects,
                                             Options options) {
  if (!options.now_ns) options.now_ns = [] { return WallNanos(); };
  SAFERL_RETURN_IF_ERROR(storage::Migrate("registry", Migrations(), database));
  return std::unique_ptr<Store>(new Store(database, objects, std::move(options)));
}

Status Store::CreateModel(const std::string& name, const std::string& description,
                          const std::string& who) {
  SAFERL_RETURN_IF_ERROR(CheckName("model", name));
  SAFERL_RETURN_IF_ERROR(CheckText("description", description));
  return database_->Transact(
      [&](Transaction& t) { return InsertModel(t, name, description, who, now()); });
}

Status Store::RenameModel(const std::string& name, const std::string& to, const std::string& who) {
  SAFERL_RETURN_IF_ERROR(CheckName("new_name", to));
  return database_->Transact([&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(const std::string id, ModelId(t, name));
    SAFERL_ASSIGN_OR_RETURN(const Rows taken,
                            t.Execute("SELECT id FROM registry_models WHERE name = $1", {to}));
    if (!taken.rows.empty())
      return absl::AlreadyExistsError(Cat("new_name: model '", to, "' is there; choose another"));
    SAFERL_RETURN_IF_ERROR(
        t.Execute("UPDATE registry_models SET name = $2, last_name = $2 WHERE id = $1", {id, to})
            .status());
    return AddEvent(
        t, id, {.at_ns = now(), .kind = "renamed", .who = who, .detail = Cat(name, " -> ", to)});
  });
}

Status Store::DescribeModel(const std::string& name, const std::string& text,
                            const std::string& who) {
  SAFERL_RETURN_IF_ERROR(CheckText("description", text));
  return database_->Transact([&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(const std::string id, ModelId(t, name));
    SAFERL_RETURN_IF_ERROR(
        t.Execute("UPDATE registry_models SET description = $2 WHERE id = $1", {id, text})
            .status());
    return AddEvent(t, id, {.at_ns = now(), .kind = "described", .who = who});
  });
}

Status Store::DeleteModel(const std::string& name, const std::string& who) {
  return database_->Transact([&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(const std::string id, ModelId(t, name));
    SAFERL_ASSIGN_OR_RETURN(
        const Rows active,
        t.Execute("SELECT id FROM registry_rollouts WHERE model_id = $1 AND active = 1", {id}));
    if (!active.rows.empty())
      return absl::FailedPreconditionError(Cat("model '", name, "' is being rolled out (",
                                               AsText(active.rows[0][0]), "); roll back first"));
    for (const char* sql : {"UPDATE registry_models SET name = NULL WHERE id = $1",
                            "UPDATE registry_versions SET live_digest = NULL WHERE model_id = $1",
                            "DELETE FROM registry_aliases WHERE model_id = $1"}) {
      SAFERL_RETURN_IF_ERROR(t.Execute(sql, {id}).status());
    }
    return AddEvent(t, id, {.at_ns = now(), .kind = "deleted", .who = who, .detail = name});
  });
}

StatusOr<Pushed> Store::Push(const PushRequest& request) {
  SAFERL_RETURN_IF_ERROR(CheckRequest(request));
  SAFERL_ASSIGN_OR_RETURN(PackageFacts facts, ReadFacts(request.package, request.model));
  SAFERL_ASSIGN_OR_RETURN(facts.lineage, Merge(facts.lineage, request.lineage));
  const std::string digest = Sha256Hex(request.package);
  // Before the bytes: from here on the collector knows that somebody is about to refer to them.
  const Status announced = database_->Transact([&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(
        const Rows rows,
        t.Execute("INSERT INTO registry_objects (digest, bytes, put_ns, collecting) VALUES ($1, "
                  "$2, $3, 0) ON CONFLICT (digest) DO UPDATE SET put_ns = excluded.put_ns "
                  "RETURNING collecting",
                  {digest, facts.bytes, now()}));
    if (AsInt(rows.rows[0][0]) == 0) return absl::OkStatus();
    return absl::UnavailableError(Cat("object ", digest,
                                      " is being collected; run `saferl registry gc --apply` to "
                                      "its end and push again"));
  });
  SAFERL_RETURN_IF_ERROR(announced);
  SAFERL_RETURN_IF_ERROR(objects_->Put(request.package).status());
  return AddVersion(request, digest, facts);
}

StatusOr<Pushed> Store::Link(const PushRequest& request, const std::string& digest) {
  SAFERL_RETURN_IF_ERROR(CheckRequest(request));
  if (!storage::IsDigest(digest))
    return absl::InvalidArgumentError(
        "source: no digest; give sha256: and 64 lower-case hex digits");
  // Bytes that nobody pushed to the registry are not the registry's to give names to.
  SAFERL_ASSIGN_OR_RETURN(
      const Rows known,
      database_->Query("SELECT digest FROM registry_versions WHERE live_digest = $1 LIMIT 1",
                       {digest}));
  if (known.rows.empty())
    return absl::NotFoundError(
        Cat("source: no version has the bytes sha256:", digest, "; push the package first"));
  SAFERL_ASSIGN_OR_RETURN(const std::string bytes, objects_->Get(digest));
  PushRequest full = request;
  full.package = bytes;
  return Push(full);
}

StatusOr<Pushed> Store::AddVersion(const PushRequest& request, const std::string& digest,
                                   const PackageFacts& facts) {
  Pushed pushed;
  int64_t number = 0;
  const Status kept = database_->Transact([&](Transaction& t) -> Status {
    pushed.created = false;
    StatusOr<std::string> id = ModelId(t, request.model);
    if (absl::IsNotFound(id.status()) && request.create) {
      SAFERL_RETURN_IF_ERROR(InsertModel(t, request.model, "", request.who, now()));
      id = ModelId(t, request.model);
    }
    if (!id.ok()) return id.status();
    SAFERL_RETURN_IF_ERROR(LockModel(t, *id));  // two pushes would take one number
    SAFERL_ASSIGN_OR_RETURN(
        const Rows same, t.Execute("SELECT number FROM registry_versions WHERE model_id = $1 AND "
                                   "live_digest = $2",
                                   {*id, digest}));
    if (!same.rows.empty()) {
      number = AsInt(same.rows[0][0]);
      return absl::OkStatus();
    }
    SAFERL_ASSIGN_OR_RETURN(
        const Rows object,
        t.Execute("SELECT digest FROM registry_objects WHERE digest = $1 AND collecting = 0",
                  {digest}));
    if (object.rows.empty())
      return absl::UnavailableError(Cat("object ", digest, " was collected; push again"));
    pushed.created = true;
    return InsertVersion(t, request, *id, digest, facts, now(), &number);
  });
  SAFERL_RETURN_IF_ERROR(kept);
  SAFERL_ASSIGN_OR_RETURN(pushed.version, Find(request.model, Cat(number)));
  return pushed;
}

Status Store::DescribeVersion(const std::string& model, int64_t number, const std::string& text,
                              const std::string& who) {
  SAFERL_RETURN_IF_ERROR(CheckText("description", text));
  return database_->Transact([&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(const std::string id, ModelId(t, model));
    SAFERL_RETURN_IF_ERROR(LiveDigest(t, id, model, number).status());
    SAFERL_RETURN_IF_ERROR(
        t.Execute(
             "UPDATE registry_versions SET description = $3 WHERE model_id = $1 AND number = $2",
             {id, number, text})
            .status());
    return AddEvent(t, id, {.at_ns = now(), .number = number, .kind = "described", .who = who});
  });
}

Status Store::DeleteVersion(const std::string& model, int64_t number, const std::string& who) {
  return database_->Transact([&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(const std::string id, ModelId(t, model));
    SAFERL_ASSIGN_OR_RETURN(const std::string digest, LiveDigest(t, id, model, number));
    SAFERL_ASSIGN_OR_RETURN(
        const Rows active,
        t.Execute("SELECT id FROM registry_rollouts WHERE model_id = $1 AND active = 1 AND "
                  "(to_number = $2 OR from_number = $2)",
                  {id, number}));
    if (!active.rows.empty())
      return absl::FailedPreconditionError(Cat("version ", number, " is part of rollout ",
                                               AsText(active.rows[0][0]), "; roll back first"));
    SAFERL_RETURN_IF_ERROR(
        t.Execute(
             "UPDATE registry_versions SET live_digest = NULL WHERE model_id = $1 AND number = $2",
             {id, number})
            .status());
    SAFERL_ASSIGN_OR_RETURN(
        const Rows aliases,
        t.Execute("DELETE FROM registry_aliases WHERE model_id = $1 AND number = $2 RETURNING "
                  "alias",
                  {id, number}));
    for (const storage::Row& row : aliases.rows) {
      SAFERL_RETURN_IF_ERROR(AddEvent(
          t, id, {.at_ns = now(), .kind = "unalias", .who = who, .detail = AsText(row[0])}));
    }
    return AddEvent(
        t, id, {.at_ns = now(), .number = number, .kind = "deleted", .who = who, .detail = digest});
  });
}

}  // namespace saferl::registry
