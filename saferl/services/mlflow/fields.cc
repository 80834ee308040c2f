#include "saferl/services/mlflow/fields.h"

#include "saferl/base/json.h"

namespace saferl::services::mlflow {
namespace {

constexpr const char* kTagsItem =
    R"({"type":"object","required":["key"],"properties":{"key":{"type":"string"},)"
    R"("value":{"type":"string"}}})";

void Type(Kind kind, JsonWriter* w) {
  switch (kind) {
    case Kind::kText:
      w->Field("type", "string");
      return;
    case Kind::kNumber:
      w->Key("type").Value(std::vector<std::string>{"integer", "string"});
      w->Field("pattern", "^[0-9]+$");
      return;
    case Kind::kTruth:
      w->Field("type", "boolean");
      return;
    case Kind::kTexts:
      w->Field("type", "array").Key("items").BeginObject().Field("type", "string").EndObject();
      return;
    case Kind::kTags:
      w->Field("type", "array").Key("items").Raw(kTagsItem);
      return;
  }
}

const char* QueryType(Kind kind) {
  if (kind == Kind::kNumber) return "integer";
  return kind == Kind::kTexts ? "array" : "string";
}

}  // namespace

const Field* FindField(const Fields& fields, std::string_view name) {
  for (const Field& field : fields) {
    if (field.name != nullptr && field.name == name) return &field;
  }
  return nullptr;
}

std::string BodySchema(const Fields& fields) {
  JsonWriter w;
  std::vector<std::string> required;
  w.BeginObject().Field("type", "object").Key("properties").BeginObject();
  for (const Field& field : fields) {
    if (field.name == nullptr) continue;
    if (field.required) required.emplace_back(field.name);
    w.Key(field.name).BeginObject();
    Type(field.kind, &w);
    w.Field("description", field.doc).EndObject();
  }
  w.EndObject();
  if (!required.empty()) w.Field("required", required);
  return w.EndObject().Take();
}

std::vector<net::FieldSpec> QueryFields(const Fields& fields) {
  std::vector<net::FieldSpec> query;
  for (const Field& field : fields) {
    if (field.name == nullptr) continue;
    query.push_back({.name = field.name,
                     .type = QueryType(field.kind),
                     .doc = field.doc,
                     .required = field.required});
  }
  return query;
}

}  // namespace saferl::services::mlflow
