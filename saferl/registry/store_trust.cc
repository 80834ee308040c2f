// Who vouches for a version, who blocks it, and what nobody refers to any more.
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

constexpr int kMaxBatch = 1000;

/// The same event in every model that has these bytes.
Status AddEventToAll(Transaction& t, const std::string& digest, const Event& event) {
  SAFERL_ASSIGN_OR_RETURN(
      const Rows rows,
      t.Execute("SELECT model_id, number FROM registry_versions WHERE live_digest = $1", {digest}));
  for (const Row& row : rows.rows) {
    Event one = event;
    one.number = AsInt(row[1]);
    SAFERL_RETURN_IF_ERROR(AddEvent(t, AsText(row[0]), one));
  }
  return absl::OkStatus();
}

Status CheckReason(const std::string& reason) {
  if (!reason.empty() && reason.size() <= 1000) return absl::OkStatus();
  return absl::InvalidArgumentError("reason: give 1 to 1000 bytes: whoever meets it must know why");
}

}  // namespace

Status Store::AddSignature(const std::string& digest, const Signature& s) {
  if (!storage::IsDigest(digest))
    return absl::InvalidArgumentError("digest: give 64 lower-case hex digits");
  return database_->Transact([&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(
        const Rows rows,
        t.Execute("INSERT INTO registry_signatures (digest, kind, key_id, who, body, at_ns) VALUES "
                  "($1, $2, $3, $4, $5, $6) ON CONFLICT (digest, kind, key_id) DO NOTHING",
                  {digest, s.kind, s.key_id, s.who, s.body, now()}));
    if (rows.changed == 0) return absl::OkStatus();  // the same key has signed the same bytes
    return AddEventToAll(
        t, digest,
        {.at_ns = now(), .kind = "signed", .who = s.who, .detail = Cat(s.kind, " ", s.key_id)});
  });
}

StatusOr<std::vector<Signature>> Store::Signatures(const std::string& digest) const {
  SAFERL_ASSIGN_OR_RETURN(
      const Rows rows,
      database_->Query("SELECT kind, key_id, who, body, at_ns FROM registry_signatures WHERE "
                       "digest = $1 ORDER BY at_ns, kind, key_id",
                       {digest}));
  std::vector<Signature> all;
  for (const Row& row : rows.rows) {
    all.push_back({AsText(row[0]), AsText(row[1]), AsText(row[2]), AsText(row[3]), AsInt(row[4])});
  }
  return all;
}

Status AddApproval(Transaction& t, const std::string& model_id, const std::string& model,
                   int64_t number, const Approval& approval) {
  SAFERL_RETURN_IF_ERROR(CheckName("who", approval.who));
  SAFERL_ASSIGN_OR_RETURN(const std::string digest, LiveDigest(t, model_id, model, number));
  SAFERL_ASSIGN_OR_RETURN(
      const Rows version,
      t.Execute("SELECT author FROM registry_versions WHERE model_id = $1 AND number = $2",
                {model_id, number}));
  if (AsText(version.rows[0][0]) == approval.who)
    return absl::FailedPreconditionError(Cat("who: ", approval.who, " pushed version ", number,
                                             " of '", model, "'; somebody else must approve it"));
  SAFERL_ASSIGN_OR_RETURN(
      const Rows rows,
      t.Execute(
          "INSERT INTO registry_approvals (model_id, number, who, digest, note, at_ns) VALUES "
          "($1, $2, $3, $4, $5, $6) ON CONFLICT (model_id, number, who) DO NOTHING",
          {model_id, number, approval.who, digest, approval.note, approval.at_ns}));
  if (rows.changed == 0)
    return absl::AlreadyExistsError(Cat("who: ", approval.who, " has approved version ", number,
                                        " of '", model,
                                        "'; a further approval needs a further "
                                        "person"));
  return AddEvent(t, model_id,
                  {.at_ns = approval.at_ns,
                   .number = number,
                   .kind = "approved",
                   .who = approval.who,
                   .detail = Cat(digest, approval.note.empty() ? "" : " ", approval.note)});
}

Status MoveAlias(Transaction& t, const std::string& model_id, const std::string& alias,
                 int64_t number, const std::string& digest, const std::string& who, int64_t now) {
  SAFERL_ASSIGN_OR_RETURN(const Rows bad,
                          t.Execute("SELECT reason FROM registry_quarantines WHERE digest = $1 AND "
                                    "released_ns IS NULL",
                                    {digest}));
  if (!bad.rows.empty())
    return absl::FailedPreconditionError(
        Cat("version ", number, " is quarantined (", AsText(bad.rows[0][0]),
            "); release it first: saferl registry quarantine --release"));
  SAFERL_RETURN_IF_ERROR(
      t.Execute("INSERT INTO registry_aliases (model_id, alias, number) VALUES ($1, $2, $3) ON "
                "CONFLICT (model_id, alias) DO UPDATE SET number = excluded.number",
                {model_id, alias, number})
          .status());
  return AddEvent(t, model_id,
                  {.at_ns = now, .number = number, .kind = "alias", .who = who, .detail = alias});
}

Status AddQuarantine(Transaction& t, const std::string& digest, const std::string& reason,
                     const std::string& who, int64_t now) {
  SAFERL_RETURN_IF_ERROR(
      t.Execute("INSERT INTO registry_quarantines (digest, reason, who, at_ns, released_ns) VALUES "
                "($1, $2, $3, $4, NULL) ON CONFLICT (digest) DO UPDATE SET reason = "
                "excluded.reason, who = excluded.who, at_ns = excluded.at_ns, released_ns = NULL",
                {digest, reason, who, now})
          .status());
  return AddEventToAll(t, digest,
                       {.at_ns = now, .kind = "quarantined", .who = who, .detail = reason});
}

Status Store::Approve(const std::string& model, int64_t number, const std::string& who,
                      const std::string& note) {
  return database_->Transact([&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(const std::string id, ModelId(t, model));
    return AddApproval(t, id, model, number, {who, "", note, now()});
  });
}

StatusOr<std::vector<Approval>> Store::Approvals(const std::string& model, int64_t number) const {
  SAFERL_ASSIGN_OR_RETURN(
      const Rows rows,
      database_->Query("SELECT a.who, a.digest, a.note, a.at_ns FROM registry_models m JOIN "
                       "registry_approvals a ON a.model_id = m.id WHERE m.name = $1 AND a.number = "
                       "$2 ORDER BY a.at_ns, a.who",
                       {model, number}));
  std::vector<Approval> all;
  for (const Row& row : rows.rows)
    all.push_back({AsText(row[0]), AsText(row[1]), AsText(row[2]), AsInt(row[3])});
  return all;
}

Status Store::Quarantine(const std::string& digest, const std::string& reason,
                         const std::string& who) {
  SAFERL_RETURN_IF_ERROR(CheckReason(reason));
  if (!storage::IsDigest(digest))
    return absl::InvalidArgumentError("digest: give 64 lower-case hex digits");
  return database_->Transact(
      [&](Transaction& t) { return AddQuarantine(t, digest, reason, who, now()); });
}

Status Store::Release(const std::string& digest, const std::string& reason,
                      const std::string& who) {
  SAFERL_RETURN_IF_ERROR(CheckReason(reason));
  return database_->Transact([&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(
        const Rows rows,
        t.Execute("UPDATE registry_quarantines SET released_ns = $2 WHERE digest = $1 AND "
                  "released_ns IS NULL",
                  {digest, now()}));
    if (rows.changed == 0)
      return absl::NotFoundError(
          Cat("digest: ", JsonEscape(digest.substr(0, 64)), " is not quarantined"));
    return AddEventToAll(t, digest,
                         {.at_ns = now(), .kind = "released", .who = who, .detail = reason});
  });
}

StatusOr<Garbage> Store::CollectGarbage(int64_t older_than_ns, bool apply) {
  // Only what this registry put: an object store may be shared. Marked before deleted: a push that
  // comes meanwhile sees the mark and refuses, one that came before has a newer put_ns.
  constexpr const char* kCondition =
      "(collecting = 1 OR put_ns < $1) AND NOT EXISTS (SELECT 1 FROM registry_versions v WHERE "
      "v.live_digest = registry_objects.digest)";
  Garbage garbage;
  SAFERL_ASSIGN_OR_RETURN(const Rows rows,
                          database_->Query(Cat("SELECT digest, bytes FROM registry_objects WHERE ",
                                               kCondition, " ORDER BY digest LIMIT ", kMaxBatch),
                                           {older_than_ns}));
  for (const Row& row : rows.rows) {
    const std::string digest = AsText(row[0]);
    if (apply) {
      SAFERL_ASSIGN_OR_RETURN(
          const Rows marked,
          database_->Execute(
              Cat("UPDATE registry_objects SET collecting = 1 WHERE digest = $2 AND ", kCondition),
              {older_than_ns, digest}));
      if (marked.changed == 0) continue;  // somebody has pushed it meanwhile
      SAFERL_RETURN_IF_ERROR(objects_->Delete(digest));
      SAFERL_RETURN_IF_ERROR(
          database_->Execute("DELETE FROM registry_objects WHERE digest = $1", {digest}).status());
    }
    garbage.digests.push_back(digest);
    garbage.bytes += AsInt(row[1]);
  }
  garbage.deleted = apply;
  return garbage;
}

}  // namespace saferl::registry
