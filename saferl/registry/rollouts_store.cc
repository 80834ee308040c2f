#include "saferl/registry/rollouts_store.h"

#include "saferl/base/clock.h"
#include "saferl/base/hash.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/registry/store_rows.h"

namespace saferl::registry {

using storage::AsInt;
using storage::AsText;
using storage::Row;
using storage::Rows;
using storage::Transaction;

namespace {

constexpr const char* kChampion = "champion";
constexpr const char* kController = "rollouts";

constexpr const char* kSelect =
    "SELECT r.id, r.model_id, coalesce(m.name, m.last_name), r.to_number, r.from_number, r.plan, "
    "r.state, r.who, r.created_ns, r.updated_ns, coalesce(r.active, 0) FROM registry_rollouts r "
    "JOIN registry_models m ON m.id = r.model_id ";

StatusOr<Rollout> RolloutOf(const Row& row) {
  Rollout r;
  r.id = AsText(row[0]);
  r.model_id = AsText(row[1]);
  r.model = AsText(row[2]);
  r.to = AsInt(row[3]);
  r.from = AsInt(row[4]);
  SAFERL_ASSIGN_OR_RETURN(r.plan, PlanFromJson(AsText(row[5])));
  SAFERL_ASSIGN_OR_RETURN(r.state, StateFromJson(AsText(row[6])));
  r.who = AsText(row[7]);
  r.created_ns = AsInt(row[8]);
  r.updated_ns = AsInt(row[9]);
  r.active = AsInt(row[10]) == 1;
  return r;
}

Status NoRollout(std::string_view id) {
  return absl::NotFoundError(Cat("rollout '", JsonEscape(id.substr(0, 80)),
                                 "' is not there; `saferl registry status` names them"));
}

StatusOr<Rollout> Read(Transaction& t, const std::string& id) {
  SAFERL_ASSIGN_OR_RETURN(const Rows rows, t.Execute(Cat(kSelect, "WHERE r.id = $1"), {id}));
  if (rows.rows.empty()) return NoRollout(id);
  return RolloutOf(rows.rows[0]);
}

struct Change {
  RolloutEvent event;
  std::string who, reason;
  int64_t now = 0;
};

Status Append(Transaction& t, const Rollout& rollout, const RolloutState& after,
              const Change& change) {
  return t
      .Execute(
          "INSERT INTO registry_rollout_events (rollout_id, seq, at_ns, event, who, reason, "
          "before_state, after_state) SELECT CAST($1 AS text), coalesce(max(seq), 0) + 1, "
          "CAST($2 AS bigint), CAST($3 AS text), CAST($4 AS text), CAST($5 AS text), "
          "CAST($6 AS text), CAST($7 AS text) FROM registry_rollout_events WHERE rollout_id = $1",
          {rollout.id, change.now, std::string(Name(change.event)), change.who, change.reason,
           ToJson(rollout.state), ToJson(after)})
      .status();
}

Status Write(Transaction& t, const Rollout& rollout, const RolloutState& after, int64_t now) {
  return t
      .Execute(
          "UPDATE registry_rollouts SET state = $2, phase = $3, updated_ns = $4, active = "
          "CASE WHEN CAST($5 AS bigint) = 1 THEN NULL ELSE active END WHERE id = $1",
          {rollout.id, ToJson(after), std::string(Name(after.phase)), now,
           int64_t{IsTerminal(after.phase)}})
      .status();
}

/// What a change of state means for the registry, in the same transaction.
Status Follow(Transaction& t, const Rollout& rollout, const RolloutState& after,
              const Change& change) {
  SAFERL_ASSIGN_OR_RETURN(const std::string digest,
                          LiveDigest(t, rollout.model_id, rollout.model, rollout.to));
  if (change.event == RolloutEvent::kApprove) {
    SAFERL_RETURN_IF_ERROR(AddApproval(t, rollout.model_id, rollout.model, rollout.to,
                                       {change.who, "", change.reason, change.now}));
  }
  if (after.quarantined && !rollout.state.quarantined) {
    SAFERL_RETURN_IF_ERROR(AddQuarantine(
        t, digest, change.reason.empty() ? Cat("rejected by rollout ", rollout.id) : change.reason,
        change.who, change.now));
  }
  if (after.phase == Phase::kPromoted) {
    SAFERL_RETURN_IF_ERROR(
        MoveAlias(t, rollout.model_id, kChampion, rollout.to, digest, change.who, change.now));
  }
  return AddEvent(t, rollout.model_id,
                  {.at_ns = change.now,
                   .number = rollout.to,
                   .kind = "rollout",
                   .who = change.who,
                   .detail = Cat(rollout.id, " ", Name(change.event), ": ",
                                 Name(rollout.state.phase), " -> ", Name(after.phase))});
}

Status ApplyIn(Transaction& t, Rollout* rollout, const Change& change) {
  const RolloutState after = Next(rollout->plan, rollout->state, change.event);
  if (after == rollout->state) return absl::OkStatus();
  // The row first: whoever steers the same rollout waits here, or tries again. One commit holds
  // all.
  SAFERL_RETURN_IF_ERROR(Write(t, *rollout, after, change.now));
  SAFERL_RETURN_IF_ERROR(Append(t, *rollout, after, change));
  SAFERL_RETURN_IF_ERROR(Follow(t, *rollout, after, change));
  rollout->state = after;
  rollout->updated_ns = change.now;
  rollout->active = !IsTerminal(after.phase);
  return absl::OkStatus();
}

Status Insert(Transaction& t, const Rollout& r) {
  SAFERL_RETURN_IF_ERROR(t.Execute("UPDATE registry_models SET updated_ns = $2 WHERE id = $1",
                                   {r.model_id, r.created_ns})
                             .status());
  SAFERL_ASSIGN_OR_RETURN(
      const Rows active,
      t.Execute("SELECT id FROM registry_rollouts WHERE model_id = $1 AND active = 1",
                {r.model_id}));
  if (!active.rows.empty())
    return absl::FailedPreconditionError(Cat("model '", r.model, "' is being rolled out (",
                                             AsText(active.rows[0][0]),
                                             "); promote it or roll it back first"));
  return t
      .Execute(
          "INSERT INTO registry_rollouts (id, model_id, to_number, from_number, active, plan, "
          "state, phase, who, created_ns, updated_ns) VALUES ($1, $2, $3, $4, 1, $5, $6, $7, "
          "$8, $9, $9)",
          {r.id, r.model_id, r.to, r.from, ToJson(r.plan), ToJson(r.state),
           std::string(Name(r.state.phase)), r.who, r.created_ns})
      .status();
}

/// The stable version, and what people said about the new one before.
Status Prepare(Transaction& t, const Version& version, Rollout* r) {
  SAFERL_ASSIGN_OR_RETURN(const std::string digest, LiveDigest(t, r->model_id, r->model, r->to));
  SAFERL_ASSIGN_OR_RETURN(const Rows bad,
                          t.Execute("SELECT reason FROM registry_quarantines WHERE digest = $1 AND "
                                    "released_ns IS NULL",
                                    {digest}));
  if (!bad.rows.empty())
    return absl::FailedPreconditionError(
        Cat("version ", version.number, " of '", version.model, "' is quarantined (",
            AsText(bad.rows[0][0]), "); it is not rolled out again before it is released"));
  SAFERL_ASSIGN_OR_RETURN(
      const Rows stable,
      t.Execute("SELECT number FROM registry_aliases WHERE model_id = $1 AND alias = $2",
                {r->model_id, kChampion}));
  r->from = stable.rows.empty() ? 0 : AsInt(stable.rows[0][0]);
  if (r->from == r->to)
    return absl::FailedPreconditionError(
        Cat("version ", r->to, " of '", r->model, "' is the champion already"));
  SAFERL_ASSIGN_OR_RETURN(
      const Rows approvals,
      t.Execute("SELECT count(*) FROM registry_approvals WHERE model_id = $1 AND number = $2",
                {r->model_id, r->to}));
  r->state.approved = static_cast<int>(AsInt(approvals.rows[0][0]));
  return absl::OkStatus();
}

}  // namespace

StatusOr<Rollout> RolloutStore::Start(const Version& version, const RolloutPlan& plan,
                                      const std::string& who) {
  SAFERL_RETURN_IF_ERROR(plan.Validate());
  SAFERL_RETURN_IF_ERROR(CheckName("who", who));
  Rollout made;
  Status status = store_->database()->Transact([&](Transaction& t) -> Status {
    Rollout r;
    r.model_id = version.model_id;
    r.model = version.model;
    r.to = version.number;
    r.plan = plan;
    r.who = who;
    r.created_ns = r.updated_ns = store_->now();
    r.id = Cat(version.model, "-", version.number, "-",
               Sha256Hex(Cat(version.model_id, version.number, ":", r.created_ns)).substr(0, 8));
    SAFERL_RETURN_IF_ERROR(Prepare(t, version, &r));
    SAFERL_RETURN_IF_ERROR(Insert(t, r));
    SAFERL_RETURN_IF_ERROR(ApplyIn(t, &r, {RolloutEvent::kStart, who, "", r.created_ns}));
    made = r;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return made;
}

StatusOr<Rollout> RolloutStore::Apply(const std::string& id, RolloutEvent event,
                                      const std::string& who, const std::string& reason) {
  SAFERL_RETURN_IF_ERROR(CheckName("who", who));
  Rollout result;
  Status status = store_->database()->Transact([&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(result, Read(t, id));
    return ApplyIn(t, &result, {event, who, reason, store_->now()});
  });
  if (!status.ok()) return status;
  return result;
}

StatusOr<Rollout> RolloutStore::ApplyTo(const Rollout& seen, RolloutEvent event,
                                        const std::string& who, const std::string& reason) {
  SAFERL_RETURN_IF_ERROR(CheckName("who", who));
  Rollout result;
  bool same = false;
  Status status = store_->database()->Transact([&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(result, Read(t, seen.id));
    same = result.state == seen.state && result.updated_ns == seen.updated_ns;
    if (!same) return absl::OkStatus();
    return ApplyIn(t, &result, {event, who, reason, store_->now()});
  });
  if (!status.ok()) return status;
  if (!same)
    return absl::AbortedError(Cat("rollout ", seen.id, " is ", Name(result.state.phase),
                                  " now; look at it again before the next event"));
  return result;
}

StatusOr<Rollout> RolloutStore::Find(const std::string& id) const {
  SAFERL_ASSIGN_OR_RETURN(const Rows rows,
                          store_->database()->Query(Cat(kSelect, "WHERE r.id = $1"), {id}));
  if (rows.rows.empty()) return NoRollout(id);
  return RolloutOf(rows.rows[0]);
}

StatusOr<Rollout> RolloutStore::Latest(const std::string& model) const {
  SAFERL_RETURN_IF_ERROR(store_->FindModel(model).status());
  SAFERL_ASSIGN_OR_RETURN(const std::vector<Rollout> all, List(model, false, 1));
  if (all.empty())
    return absl::NotFoundError(
        Cat("model '", model, "' was never rolled out; start with saferl registry deploy ", model));
  return all[0];
}

StatusOr<std::vector<Rollout>> RolloutStore::List(const std::string& model, bool only_active,
                                                  int limit) const {
  SAFERL_ASSIGN_OR_RETURN(
      const Rows rows,
      store_->database()->Query(
          Cat(kSelect,
              "WHERE (CAST($1 AS text) = '' OR m.name = $1) AND (CAST($2 AS bigint) = 0 OR "
              "r.active = 1) ORDER BY coalesce(r.active, 0) DESC, r.created_ns DESC, r.id LIMIT "
              "$3"),
          {model, int64_t{only_active}, int64_t{limit}}));
  std::vector<Rollout> all;
  for (const Row& row : rows.rows) {
    SAFERL_ASSIGN_OR_RETURN(Rollout r, RolloutOf(row));
    all.push_back(std::move(r));
  }
  return all;
}

StatusOr<std::vector<Rollout>> RolloutStore::Page(
    const std::string& model, bool only_active, std::optional<Phase> phase, int limit,
    const std::optional<std::pair<int64_t, std::string>>& after) const {
  std::string where;
  std::vector<storage::Value> values;
  values.reserve(5);
  const auto bind = [&values](storage::Value value) {
    values.push_back(std::move(value));
    return Cat("$", values.size());
  };
  const auto add = [&where](const std::string& condition) {
    where += Cat(where.empty() ? "WHERE " : " AND ", condition);
  };
  if (!model.empty()) add(Cat("m.name = ", bind(model)));
  if (only_active) add("r.active = 1");
  if (phase) add(Cat("r.phase = ", bind(std::string(Name(*phase)))));
  if (after) {
    const std::string at = bind(after->first), id = bind(after->second);
    add(Cat("(r.created_ns < ", at, " OR (r.created_ns = ", at, " AND r.id COLLATE \"C\" < ", id,
            "))"));
  }
  where += Cat(" ORDER BY r.created_ns DESC, r.id COLLATE \"C\" DESC LIMIT ", bind(int64_t{limit}));
  SAFERL_ASSIGN_OR_RETURN(const Rows rows, store_->database()->Query(Cat(kSelect, where), values));
  std::vector<Rollout> all;
  for (const Row& row : rows.rows) {
    SAFERL_ASSIGN_OR_RETURN(Rollout r, RolloutOf(row));
    all.push_back(std::move(r));
  }
  return all;
}

StatusOr<std::vector<JournalEntry>> RolloutStore::Journal(const std::string& id) const {
  SAFERL_ASSIGN_OR_RETURN(
      const Rows rows, store_->database()->Query(
                           "SELECT seq, at_ns, event, who, reason, before_state, after_state FROM "
                           "registry_rollout_events WHERE rollout_id = $1 ORDER BY seq",
                           {id}));
  std::vector<JournalEntry> all;
  for (const Row& row : rows.rows) {
    JournalEntry e{
        AsInt(row[0]), AsInt(row[1]), AsText(row[2]), AsText(row[3]), AsText(row[4]), {}, {}};
    SAFERL_ASSIGN_OR_RETURN(e.before, StateFromJson(AsText(row[5])));
    SAFERL_ASSIGN_OR_RETURN(e.after, StateFromJson(AsText(row[6])));
    all.push_back(std::move(e));
  }
  return all;
}

Status RolloutStore::Renew(const std::string& id, const std::string& node, int64_t number) {
  SAFERL_RETURN_IF_ERROR(CheckName("node", node));
  return store_->database()->Transact([&](Transaction& t) -> Status {
    SAFERL_ASSIGN_OR_RETURN(const Rollout r, Read(t, id));
    if (number != r.to && number != r.from)
      return absl::FailedPreconditionError(
          Cat("version ", number, " is not part of rollout ", id, "; run ", r.from, " or ", r.to));
    if (number == r.to && !(CanaryShare(r.plan, r.state) > 0))
      return absl::FailedPreconditionError(Cat("rollout ", id, " is ", Name(r.state.phase),
                                               ": no robot may run version ", number,
                                               "; go back to ", r.from));
    const int64_t until = store_->now() + FromSeconds(r.plan.lease_s);
    return t
        .Execute(
            "INSERT INTO registry_leases (rollout_id, node, number, until_ns) VALUES ($1, $2, "
            "$3, $4) ON CONFLICT (rollout_id, node) DO UPDATE SET number = excluded.number, "
            "until_ns = excluded.until_ns",
            {id, node, number, until})
        .status();
  });
}

StatusOr<std::vector<Lease>> RolloutStore::Leases(const std::string& id) const {
  SAFERL_ASSIGN_OR_RETURN(
      const Rows rows,
      store_->database()->Query("SELECT node, number, until_ns FROM registry_leases WHERE "
                                "rollout_id = $1 ORDER BY node COLLATE \"C\"",
                                {id}));
  std::vector<Lease> all;
  for (const Row& row : rows.rows) all.push_back({AsText(row[0]), AsInt(row[1]), AsInt(row[2])});
  return all;
}

StatusOr<bool> RolloutStore::TakeControl(const std::string& holder, double ttl_s) {
  SAFERL_RETURN_IF_ERROR(CheckName("holder", holder));
  SAFERL_ASSIGN_OR_RETURN(
      const Rows rows,
      store_->database()->Execute(
          "INSERT INTO registry_controllers (name, holder, until_ns) VALUES ($1, $2, $3) ON "
          "CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_ns = excluded.until_ns "
          "WHERE registry_controllers.holder = $2 OR registry_controllers.until_ns <= $4",
          {kController, holder, store_->now() + FromSeconds(ttl_s), store_->now()}));
  return rows.changed == 1;
}

}  // namespace saferl::registry
