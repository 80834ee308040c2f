// Reads of Store: lookups, lists, history.
#include "saferl/base/text.h"
#include "saferl/registry/store.h"
#include "saferl/registry/store_rows.h"

namespace saferl::registry {

using storage::AsInt;
using storage::AsText;
using storage::Row;
using storage::Rows;
using storage::Value;

namespace {

constexpr int64_t kMaxPage = 1001;  // a page of the API, and whether there is more

/// A WHERE clause with its parameters; what users give only ever becomes a parameter.
struct Sql {
  std::string text;
  std::vector<Value> values;
  std::string Bind(Value value) {
    values.push_back(std::move(value));
    return Cat("$", values.size());
  }
};

StatusOr<Value> Typed(const Condition& c, const std::string& text) {
  if (c.field != Condition::Field::kNumber) return Value(text);
  int64_t number = 0;
  const char* end = text.data() + text.size();
  if (std::from_chars(text.data(), end, number) != std::from_chars_result{end, std::errc()})
    return absl::InvalidArgumentError(Cat("filter: version_number '", text, "' is no number"));
  return Value(number);
}

StatusOr<std::string> Comparison(const Condition& c, const std::string& column, Sql* sql) {
  std::string text;
  using Op = Condition::Op;
  if (c.op == Op::kIn) {
    if (c.values.empty()) return std::string("1 = 0");
    for (const std::string& value : c.values) {
      SAFERL_ASSIGN_OR_RETURN(Value typed, Typed(c, value));
      text += (text.empty() ? "" : ", ") + sql->Bind(std::move(typed));
    }
    return Cat(column, " IN (", text, ")");
  }
  if (c.values.size() != 1) return absl::InvalidArgumentError("filter: give one value");
  if ((c.op == Op::kLike || c.op == Op::kLikeAnyCase) &&
      c.values[0].find('\\') != std::string::npos)
    return absl::InvalidArgumentError("filter: a LIKE pattern knows % and _, and no backslash");
  if (c.op == Op::kLikeAnyCase)
    return Cat("lower(", column, ") LIKE lower(", sql->Bind(c.values[0]), ")");
  if (c.op == Op::kLike) return Cat(column, " LIKE ", sql->Bind(c.values[0]));
  SAFERL_ASSIGN_OR_RETURN(Value typed, Typed(c, c.values[0]));
  if (c.op == Op::kAbove || c.op == Op::kBelow)
    return Cat(column, c.field == Condition::Field::kNumber ? "" : " COLLATE \"C\"",
               c.op == Op::kAbove ? " > " : " < ", sql->Bind(std::move(typed)));
  return Cat(column, c.op == Op::kEqual ? " = " : " <> ", sql->Bind(std::move(typed)));
}

/// `model_id` and `number` are the columns that a tag hangs on.
Status AddConditions(const Search& search, bool versions, Sql* sql) {
  using Field = Condition::Field;
  for (const Condition& c : search.where) {
    if (!versions && c.field != Field::kName && c.field != Field::kTag)
      return absl::InvalidArgumentError("filter: models are found by name and tags only");
    std::string column;
    switch (c.field) {
      case Field::kName:
        column = "m.name";
        break;
      case Field::kRunId:
        column = "v.run_id";
        break;
      case Field::kDigest:
        column = "v.live_digest";
        break;
      case Field::kNumber:
        column = "v.number";
        break;
      case Field::kStage:
        column = "v.stage";
        break;
      case Field::kTag:
        break;
    }
    if (c.field == Field::kTag) {
      const std::string key = sql->Bind(c.key);
      // "Not this value" holds where the tag is absent, too.
      Condition given = c;
      const bool differs = c.op == Condition::Op::kNotEqual;
      if (differs) given.op = Condition::Op::kEqual;
      SAFERL_ASSIGN_OR_RETURN(const std::string says, Comparison(given, "t.value", sql));
      sql->text += Cat(differs ? " AND NOT" : " AND",
                       " EXISTS (SELECT 1 FROM registry_tags t WHERE t.model_id = m.id AND "
                       "t.number = ",
                       versions ? "v.number" : "0", " AND t.key = ", key, " AND ", says, ")");
      continue;
    }
    SAFERL_ASSIGN_OR_RETURN(const std::string says, Comparison(c, column, sql));
    sql->text += Cat(" AND ", says);
  }
  return absl::OkStatus();
}

Status AddOrder(const Search& search, bool versions, Sql* sql) {
  if (search.limit < 1 || search.limit > kMaxPage)
    return absl::InvalidArgumentError(Cat("limit: ", search.limit, " is not in 1 to ", kMaxPage));
  if (search.offset < 0) return absl::InvalidArgumentError("offset: below 0");
  std::string order;
  for (const Order& o : search.order) {
    const char* table = versions ? "v" : "m";
    switch (o.by) {
      case Order::By::kName:
        order += "m.name COLLATE \"C\"";
        break;
      case Order::By::kNumber:
        if (!versions) return absl::InvalidArgumentError("order_by: models have no version_number");
        order += "v.number";
        break;
      case Order::By::kCreated:
        order += Cat(table, ".created_ns");
        break;
      case Order::By::kUpdated:
        order += Cat(table, ".updated_ns");
        break;
    }
    order += o.descending ? " DESC, " : ", ";
  }
  sql->text += Cat(" ORDER BY ", order, "m.name COLLATE \"C\"", versions ? ", v.number DESC" : "");
  sql->text += Cat(" LIMIT ", sql->Bind(search.limit));
  sql->text += Cat(" OFFSET ", sql->Bind(search.offset));
  return absl::OkStatus();
}

constexpr const char* kSelectModel =
    "SELECT m.id, m.name, m.description, m.created_ns, m.updated_ns FROM registry_models m ";

Model ModelOf(const Row& row) {
  Model model;
  model.id = AsText(row[0]);
  model.name = AsText(row[1]);
  model.description = AsText(row[2]);
  model.created_ns = AsInt(row[3]);
  model.updated_ns = AsInt(row[4]);
  return model;
}

Status FillModel(storage::Database* database, Model* model) {
  SAFERL_ASSIGN_OR_RETURN(
      const Rows tags,
      database->Query("SELECT key, value FROM registry_tags WHERE model_id = $1 AND number = 0 "
                      "ORDER BY key COLLATE \"C\"",
                      {model->id}));
  for (const Row& row : tags.rows) model->tags.push_back({AsText(row[0]), AsText(row[1])});
  SAFERL_ASSIGN_OR_RETURN(
      const Rows aliases,
      database->Query("SELECT alias, number FROM registry_aliases WHERE model_id = $1 ORDER BY "
                      "alias COLLATE \"C\"",
                      {model->id}));
  for (const Row& row : aliases.rows) model->aliases.push_back({AsText(row[0]), AsInt(row[1])});
  return absl::OkStatus();
}

}  // namespace

StatusOr<Model> Store::FindModel(const std::string& name) const {
  SAFERL_RETURN_IF_ERROR(CheckName("model", name));
  SAFERL_ASSIGN_OR_RETURN(const Rows rows,
                          database_->Query(Cat(kSelectModel, "WHERE m.name = $1"), {name}));
  if (rows.rows.empty()) return NoModel(name);
  Model model = ModelOf(rows.rows[0]);
  SAFERL_RETURN_IF_ERROR(FillModel(database_, &model));
  return model;
}

StatusOr<std::vector<Model>> Store::ListModels(const Search& search) const {
  Sql sql{.text = Cat(kSelectModel, "WHERE m.name IS NOT NULL"), .values = {}};
  SAFERL_RETURN_IF_ERROR(AddConditions(search, false, &sql));
  SAFERL_RETURN_IF_ERROR(AddOrder(search, false, &sql));
  SAFERL_ASSIGN_OR_RETURN(const Rows rows, database_->Query(sql.text, sql.values));
  std::vector<Model> models;
  for (const Row& row : rows.rows) {
    models.push_back(ModelOf(row));
    SAFERL_RETURN_IF_ERROR(FillModel(database_, &models.back()));
  }
  return models;
}

StatusOr<Version> Store::Find(const std::string& model, const std::string& ref) const {
  SAFERL_RETURN_IF_ERROR(CheckName("model", model));
  int64_t number = 0;
  const char* end = ref.data() + ref.size();
  const bool numeric =
      !ref.empty() && ref[0] != '-' &&
      std::from_chars(ref.data(), end, number) == std::from_chars_result{end, std::errc()};
  StatusOr<Rows> rows = Rows{};
  if (numeric) {
    rows = database_->Query(
        Cat(kSelectVersion, "WHERE m.name = $1 AND v.number = $2 AND v.live_digest IS NOT NULL"),
        {model, number});
  } else {
    if (!ref.empty()) SAFERL_RETURN_IF_ERROR(CheckAlias(ref));
    rows = database_->Query(
        Cat(kSelectVersion,
            "JOIN registry_aliases a ON a.model_id = m.id AND a.alias = $2 AND a.number = v.number "
            "WHERE m.name = $1 AND v.live_digest IS NOT NULL"),
        {model, ref.empty() ? std::string("champion") : ref});
    if (rows.ok() && rows->rows.empty() && ref.empty()) {
      rows = database_->Query(
          Cat(kSelectVersion,
              "WHERE m.name = $1 AND v.live_digest IS NOT NULL ORDER BY v.number DESC LIMIT 1"),
          {model});
    }
  }
  if (!rows.ok()) return rows.status();
  if (rows->rows.empty()) {
    SAFERL_RETURN_IF_ERROR(FindModel(model).status());
    return NoVersion(model, ref);
  }
  std::vector<Version> versions = {VersionOf(rows->rows[0])};
  SAFERL_RETURN_IF_ERROR(FillVersions(&versions));
  return std::move(versions[0]);
}

StatusOr<std::vector<Version>> Store::ListVersions(const Search& search) const {
  Sql sql{.text = Cat(kSelectVersion, "WHERE m.name IS NOT NULL AND v.live_digest IS NOT NULL"),
          .values = {}};
  SAFERL_RETURN_IF_ERROR(AddConditions(search, true, &sql));
  SAFERL_RETURN_IF_ERROR(AddOrder(search, true, &sql));
  SAFERL_ASSIGN_OR_RETURN(const Rows rows, database_->Query(sql.text, sql.values));
  std::vector<Version> versions;
  for (const Row& row : rows.rows) versions.push_back(VersionOf(row));
  SAFERL_RETURN_IF_ERROR(FillVersions(&versions));
  return versions;
}

/// Tags and aliases, which hang on (model, number).
Status Store::FillVersions(std::vector<Version>* versions) const {
  for (Version& v : *versions) {
    SAFERL_ASSIGN_OR_RETURN(
        const Rows labels,
        database_->Query("SELECT 0, key, value FROM registry_tags WHERE model_id = $1 AND number = "
                         "$2 UNION ALL SELECT 1, alias, '' FROM registry_aliases WHERE model_id = "
                         "$1 AND number = $2",
                         {v.model_id, v.number}));
    for (const Row& row : labels.rows) {
      if (AsInt(row[0]) == 0) v.tags.push_back({AsText(row[1]), AsText(row[2])});
      if (AsInt(row[0]) == 1) v.aliases.push_back(AsText(row[1]));
    }
  }
  return absl::OkStatus();
}

StatusOr<std::vector<Event>> Store::History(const std::string& model, int64_t number,
                                            int limit) const {
  SAFERL_RETURN_IF_ERROR(CheckName("model", model));
  // Of a deleted model too: the name that is alive first, then the one that was last.
  SAFERL_ASSIGN_OR_RETURN(
      const Rows ids,
      database_->Query(
          "SELECT id FROM registry_models WHERE last_name = $1 ORDER BY CASE WHEN name "
          "IS NULL THEN 1 ELSE 0 END, created_ns DESC LIMIT 1",
          {model}));
  if (ids.rows.empty()) return NoModel(model);
  SAFERL_ASSIGN_OR_RETURN(
      const Rows rows,
      database_->Query("SELECT seq, at_ns, number, kind, who, detail FROM registry_events WHERE "
                       "model_id = $1 AND (CAST($2 AS bigint) = 0 OR number = $2) ORDER BY seq "
                       "DESC LIMIT $3",
                       {AsText(ids.rows[0][0]), number, int64_t{limit}}));
  std::vector<Event> events;
  for (const Row& row : rows.rows) {
    events.push_back({AsInt(row[0]), AsInt(row[1]), AsInt(row[2]), AsText(row[3]), AsText(row[4]),
                      AsText(row[5])});
  }
  return events;
}

StatusOr<int64_t> Store::AliasAt(const std::string& model, const std::string& alias,
                                 int64_t at_ns) const {
  SAFERL_RETURN_IF_ERROR(CheckName("model", model));
  SAFERL_RETURN_IF_ERROR(CheckAlias(alias));
  SAFERL_ASSIGN_OR_RETURN(
      const Rows rows,
      database_->Query(
          "SELECT e.number FROM registry_models m JOIN registry_events e ON e.model_id = m.id "
          "WHERE m.name = $1 AND e.kind IN ('alias', 'unalias') AND e.at_ns <= $2 AND e.detail = "
          "$3 "
          "ORDER BY e.seq DESC LIMIT 1",
          {model, at_ns, alias}));
  // The event of an alias that went away names no version.
  return rows.rows.empty() ? 0 : AsInt(rows.rows[0][0]);
}

StatusOr<int64_t> Store::Revision() const {
  // Each model's time counts, not the latest: the clock of who changes one may be behind, and the
  // later of two may commit first. 2^40 ns, since the sum of whole times overflows.
  SAFERL_ASSIGN_OR_RETURN(
      const Rows rows,
      database_->Query("SELECT CAST(coalesce(sum(updated_ns % 1099511627776), 0) AS bigint), "
                       "count(*) FROM registry_models"));
  return AsInt(rows.rows[0][0]) + AsInt(rows.rows[0][1]);
}

}  // namespace saferl::registry
