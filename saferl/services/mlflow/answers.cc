#include "saferl/services/mlflow/answers.h"

#include <span>
#include <type_traits>
#include <variant>

#include "saferl/base/text.h"

namespace saferl::services::mlflow {
namespace {

using registry::Alias;
using registry::Model;
using registry::Tag;
using registry::Version;

/// One field of an object T. Its type in the schema is what `value` returns.
template <class T>
struct Item {
  const char *name, *doc;
  std::variant<std::string (*)(const T&), int64_t (*)(const T&),
               const std::vector<std::string>& (*)(const T&), const std::vector<Tag>& (*)(const T&),
               const std::vector<Alias>& (*)(const T&), const std::vector<Version>& (*)(const T&)>
      value;
  bool (*there)(const T&) = nullptr;  ///< null: always
};

/// A model is shown with its newest version of each stage.
struct ShownModel {
  const Model& model;
  const std::vector<Version>& latest;
};
struct Problem {
  std::string code, message;
};

using Texts = std::vector<std::string>;
int64_t Millis(int64_t ns) { return ns / 1'000'000; }

const Item<Tag> kTag[] = {
    {"key", "its name", +[](const Tag& t) { return t.key; }},
    {"value", "what it says", +[](const Tag& t) { return t.value; }},
};

const Item<Alias> kAlias[] = {
    {"alias", "a name of a version", +[](const Alias& a) { return a.alias; }},
    {"version", "its number", +[](const Alias& a) { return Cat(a.number); }},
};

const Item<Version> kVersion[] = {
    {"name", "the model's", +[](const Version& v) { return v.model; }},
    {"version", "its number", +[](const Version& v) { return Cat(v.number); }},
    {"creation_timestamp", "ms since 1970", +[](const Version& v) { return Millis(v.created_ns); }},
    {"last_updated_timestamp", "ms since 1970",
     +[](const Version& v) { return Millis(v.updated_ns); }},
    {"user_id", "who pushed it", +[](const Version& v) { return v.author; }},
    {"current_stage", "None, Staging, Production or Archived",
     +[](const Version& v) { return v.stage; }},
    {"description", "for people", +[](const Version& v) { return v.description; }},
    {"source", "sha256:DIGEST of the package",
     +[](const Version& v) { return Cat("sha256:", v.digest); }},
    {"run_id", "the run that made it; empty: not told", +[](const Version& v) { return v.run_id; }},
    {"run_link", "where to see that run", +[](const Version& v) { return v.run_link; }},
    {"status", "READY, or FAILED_REGISTRATION when it is quarantined",
     +[](const Version& v) {
       return std::string(v.quarantined ? "FAILED_REGISTRATION" : "READY");
     }},
    {"status_message", "why it is quarantined",
     +[](const Version& v) { return Cat("quarantined: ", v.quarantine_reason); },
     +[](const Version& v) { return v.quarantined; }},
    {"tags", "in the order of their keys",
     +[](const Version& v) -> const std::vector<Tag>& { return v.tags; }},
    {"aliases", "its names", +[](const Version& v) -> const Texts& { return v.aliases; }},
};

const Item<ShownModel> kModel[] = {
    {"name", "its name", +[](const ShownModel& m) { return m.model.name; }},
    {"creation_timestamp", "ms since 1970",
     +[](const ShownModel& m) { return Millis(m.model.created_ns); }},
    {"last_updated_timestamp", "ms since 1970",
     +[](const ShownModel& m) { return Millis(m.model.updated_ns); }},
    {"description", "for people", +[](const ShownModel& m) { return m.model.description; }},
    {"latest_versions", "the newest of each stage",
     +[](const ShownModel& m) -> const std::vector<Version>& { return m.latest; }},
    {"tags", "in the order of their keys",
     +[](const ShownModel& m) -> const std::vector<Tag>& { return m.model.tags; }},
    {"aliases", "names of its versions",
     +[](const ShownModel& m) -> const std::vector<Alias>& { return m.model.aliases; }},
};

const Item<Problem> kProblem[] = {
    {"error_code", "MLflow's: RESOURCE_DOES_NOT_EXIST, INVALID_PARAMETER_VALUE, ...",
     +[](const Problem& p) { return p.code; }},
    {"message", "what is wrong", +[](const Problem& p) { return p.message; }},
};

template <class T>
std::span<const Item<T>> ItemsOf() {
  if constexpr (std::is_same_v<T, Tag>) return kTag;
  if constexpr (std::is_same_v<T, Alias>) return kAlias;
  if constexpr (std::is_same_v<T, Version>) return kVersion;
  if constexpr (std::is_same_v<T, ShownModel>) return kModel;
  if constexpr (std::is_same_v<T, Problem>) return kProblem;
}

template <class T>
void WriteObject(const T& object, JsonWriter* w);

template <class V>
void WriteValue(const V& value, JsonWriter* w) {
  if constexpr (std::is_same_v<V, std::string> || std::is_same_v<V, int64_t> ||
                std::is_same_v<V, Texts>) {
    w->Value(value);
  } else {
    w->BeginArray();
    for (const auto& element : value) WriteObject(element, w);
    w->EndArray();
  }
}

template <class T>
void WriteObject(const T& object, JsonWriter* w) {
  w->BeginObject();
  for (const Item<T>& item : ItemsOf<T>()) {
    if (item.there != nullptr && !item.there(object)) continue;
    w->Key(item.name);
    std::visit([&](auto* get) { WriteValue(get(object), w); }, item.value);
  }
  w->EndObject();
}

/// The members of an object schema; the braces are the caller's.
template <class T>
void ObjectSchema(JsonWriter* w);

template <class V>
void ValueSchema(JsonWriter* w) {
  if constexpr (std::is_same_v<V, std::string>) {
    w->Field("type", "string");
  } else if constexpr (std::is_same_v<V, int64_t>) {
    w->Field("type", "integer");
  } else {
    using Element = typename V::value_type;
    w->Field("type", "array").Key("items").BeginObject();
    if constexpr (std::is_same_v<Element, std::string>) {
      ValueSchema<Element>(w);
    } else {
      ObjectSchema<Element>(w);
    }
    w->EndObject();
  }
}

template <class T>
void ObjectSchema(JsonWriter* w) {
  Texts required;
  w->Field("type", "object").Key("properties").BeginObject();
  for (const Item<T>& item : ItemsOf<T>()) {
    if (item.there == nullptr) required.emplace_back(item.name);
    w->Key(item.name).BeginObject();
    std::visit([&]<class V>(V (*)(const T&)) { ValueSchema<std::remove_cvref_t<V>>(w); },
               item.value);
    w->Field("description", item.doc).EndObject();
  }
  w->EndObject().Field("required", required);
}

/// {"<name>": one T}
template <class T>
std::string SchemaOfOne(const char* name) {
  JsonWriter w;
  w.BeginObject().Field("type", "object").Field("required", Texts{name});
  w.Key("properties").BeginObject().Key(name).BeginObject();
  ObjectSchema<T>(&w);
  return w.EndObject().EndObject().EndObject().Take();
}

/// {"<name>": [T, ...], "next_page_token": "..."}
template <class T>
std::string SchemaOfList(const char* name) {
  JsonWriter w;
  w.BeginObject().Field("type", "object").Key("properties").BeginObject();
  w.Key(name).BeginObject().Field("type", "array");
  w.Field("description", "left out when there are none").Key("items").BeginObject();
  ObjectSchema<T>(&w);
  w.EndObject().EndObject();
  w.Key("next_page_token").BeginObject().Field("type", "string");
  w.Field("description", "of the next page; left out on the last").EndObject();
  return w.EndObject().EndObject().Take();
}

}  // namespace

void Write(const Version& version, JsonWriter* w) { WriteObject(version, w); }

void Write(const Model& model, const std::vector<Version>& latest, JsonWriter* w) {
  WriteObject(ShownModel{model, latest}, w);
}

std::string ErrorBody(const std::string& code, const std::string& message) {
  JsonWriter w;
  WriteObject(Problem{code, message}, &w);
  return w.Take();
}

std::string SchemaOf(Answer answer) {
  switch (answer) {
    case Answer::kModel:
      return SchemaOfOne<ShownModel>("registered_model");
    case Answer::kModels:
      return SchemaOfList<ShownModel>("registered_models");
    case Answer::kVersion:
      return SchemaOfOne<Version>("model_version");
    case Answer::kVersions:
      return SchemaOfList<Version>("model_versions");
    case Answer::kUri:
      return R"({"type":"object","required":["artifact_uri"],"properties":{"artifact_uri":)"
             R"({"type":"string","description":"sha256:DIGEST of the package"}}})";
    case Answer::kNothing:
      break;
  }
  return R"({"type":"object","maxProperties":0})";
}

std::string ErrorSchema() {
  JsonWriter w;
  w.BeginObject();
  ObjectSchema<Problem>(&w);
  return w.EndObject().Take();
}

}  // namespace saferl::services::mlflow
