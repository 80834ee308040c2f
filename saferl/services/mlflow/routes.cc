#include "saferl/services/mlflow/routes.h"

#include <algorithm>
#include <charconv>

#include "saferl/base/text.h"
#include "saferl/services/mlflow/answers.h"
#include "saferl/services/mlflow/filter.h"
#include "saferl/services/mlflow/message.h"

namespace saferl::services::mlflow {
namespace {

using net::Method;
using net::Request;
using net::Response;
using registry::Condition;
using registry::Search;
using registry::Store;
using registry::Version;

constexpr int64_t kMaxPage = 1000;
constexpr const char* kWho = "mlflow";  // until requests carry a user

/// One search with an exact name.
Condition Named(const std::string& name) {
  return {Condition::Field::kName, Condition::Op::kEqual, "", {name}};
}

class Mlflow {
 public:
  explicit Mlflow(Store* store) : store_(store) {}

  StatusOr<std::string> CreateModel(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const std::string name, a.Text("name"));
    SAFERL_ASSIGN_OR_RETURN(const std::string description, a.TextOr("description", ""));
    SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::Tag> tags, a.Tags());
    SAFERL_RETURN_IF_ERROR(store_->CreateModel(name, description, kWho));
    for (const registry::Tag& tag : tags)
      SAFERL_RETURN_IF_ERROR(store_->SetTag(name, 0, tag, kWho));
    return ModelAnswer(name);
  }
  StatusOr<std::string> RenameModel(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const std::string name, a.Text("name"));
    SAFERL_ASSIGN_OR_RETURN(const std::string to, a.Text("new_name"));
    SAFERL_RETURN_IF_ERROR(store_->RenameModel(name, to, kWho));
    return ModelAnswer(to);
  }
  StatusOr<std::string> UpdateModel(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const std::string name, a.Text("name"));
    SAFERL_ASSIGN_OR_RETURN(const std::string description, a.TextOr("description", ""));
    SAFERL_RETURN_IF_ERROR(store_->DescribeModel(name, description, kWho));
    return ModelAnswer(name);
  }
  StatusOr<std::string> DeleteModel(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const std::string name, a.Text("name"));
    SAFERL_RETURN_IF_ERROR(store_->DeleteModel(name, kWho));
    return std::string("{}");
  }
  StatusOr<std::string> GetModel(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const std::string name, a.Text("name"));
    return ModelAnswer(name);
  }
  StatusOr<std::string> SearchModels(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const Search search, SearchOf(a, false, 100));
    SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::Model> models, store_->ListModels(search));
    if (models.empty()) return std::string("{}");
    JsonWriter w;
    w.BeginObject().Key("registered_models").BeginArray();
    for (const registry::Model& model : models) {
      SAFERL_ASSIGN_OR_RETURN(const std::vector<Version> latest, Latest(model.name, {}));
      Write(model, latest, &w);
    }
    w.EndArray();
    WriteToken(search, models.size(), &w);
    return w.EndObject().Take();
  }
  StatusOr<std::string> LatestVersions(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const std::string name, a.Text("name"));
    SAFERL_ASSIGN_OR_RETURN(const std::vector<std::string> stages, a.Texts("stages"));
    SAFERL_RETURN_IF_ERROR(store_->FindModel(name).status());
    SAFERL_ASSIGN_OR_RETURN(const std::vector<Version> latest, Latest(name, stages));
    return VersionList(latest);
  }
  StatusOr<std::string> SetModelTag(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const std::string name, a.Text("name"));
    SAFERL_ASSIGN_OR_RETURN(const std::string key, a.Text("key"));
    SAFERL_ASSIGN_OR_RETURN(const std::string value, a.TextOr("value", ""));
    SAFERL_RETURN_IF_ERROR(store_->SetTag(name, 0, {key, value}, kWho));
    return std::string("{}");
  }
  StatusOr<std::string> DeleteModelTag(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const std::string name, a.Text("name"));
    SAFERL_ASSIGN_OR_RETURN(const std::string key, a.Text("key"));
    SAFERL_RETURN_IF_ERROR(store_->DeleteTag(name, 0, key, kWho));
    return std::string("{}");
  }
  StatusOr<std::string> SetAlias(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const std::string name, a.Text("name"));
    SAFERL_ASSIGN_OR_RETURN(const std::string alias, a.Text("alias"));
    SAFERL_ASSIGN_OR_RETURN(const int64_t number, a.Number("version"));
    SAFERL_RETURN_IF_ERROR(store_->SetAlias(name, alias, number, kWho));
    return std::string("{}");
  }
  StatusOr<std::string> DeleteAlias(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const std::string name, a.Text("name"));
    SAFERL_ASSIGN_OR_RETURN(const std::string alias, a.Text("alias"));
    SAFERL_RETURN_IF_ERROR(store_->DeleteAlias(name, alias, kWho));
    return std::string("{}");
  }
  StatusOr<std::string> GetByAlias(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const std::string name, a.Text("name"));
    SAFERL_ASSIGN_OR_RETURN(const std::string alias, a.Text("alias"));
    SAFERL_RETURN_IF_ERROR(registry::CheckAlias(alias));
    return VersionAnswer(name, alias);
  }

  StatusOr<std::string> CreateVersion(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const std::string name, a.Text("name"));
    SAFERL_ASSIGN_OR_RETURN(const std::string text, a.Text("source"));
    SAFERL_ASSIGN_OR_RETURN(Source source, ParseSource(text));
    SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::Tag> tags, a.Tags());
    registry::PushRequest request{.model = name, .package = {}, .who = kWho};
    request.create = false;
    SAFERL_ASSIGN_OR_RETURN(request.description, a.TextOr("description", ""));
    SAFERL_ASSIGN_OR_RETURN(request.run_id, a.TextOr("run_id", ""));
    SAFERL_ASSIGN_OR_RETURN(request.run_link, a.TextOr("run_link", ""));
    if (source.digest.empty()) {
      SAFERL_ASSIGN_OR_RETURN(const Version from, store_->Find(source.model, source.ref));
      source.digest = from.digest;
    }
    SAFERL_ASSIGN_OR_RETURN(const registry::Pushed pushed, store_->Link(request, source.digest));
    for (const registry::Tag& tag : tags)
      SAFERL_RETURN_IF_ERROR(store_->SetTag(name, pushed.version.number, tag, kWho));
    return VersionAnswer(name, Cat(pushed.version.number));
  }
  StatusOr<std::string> UpdateVersion(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const Target t, TargetOf(a));
    SAFERL_ASSIGN_OR_RETURN(const std::string description, a.TextOr("description", ""));
    SAFERL_RETURN_IF_ERROR(store_->DescribeVersion(t.name, t.number, description, kWho));
    return VersionAnswer(t.name, Cat(t.number));
  }
  StatusOr<std::string> TransitionStage(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const Target t, TargetOf(a));
    SAFERL_ASSIGN_OR_RETURN(const std::string stage, a.Text("stage"));
    SAFERL_ASSIGN_OR_RETURN(const bool archive, a.Truth("archive_existing_versions"));
    SAFERL_RETURN_IF_ERROR(store_->SetStage(t.name, t.number, stage, archive, kWho));
    return VersionAnswer(t.name, Cat(t.number));
  }
  StatusOr<std::string> DeleteVersion(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const Target t, TargetOf(a));
    SAFERL_RETURN_IF_ERROR(store_->DeleteVersion(t.name, t.number, kWho));
    return std::string("{}");
  }
  StatusOr<std::string> GetVersion(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const Target t, TargetOf(a));
    return VersionAnswer(t.name, Cat(t.number));
  }
  StatusOr<std::string> SearchVersions(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const Search search, SearchOf(a, true, kMaxPage));
    SAFERL_ASSIGN_OR_RETURN(const std::vector<Version> versions, store_->ListVersions(search));
    if (versions.empty()) return std::string("{}");
    JsonWriter w;
    w.BeginObject().Key("model_versions").BeginArray();
    for (const Version& version : versions) Write(version, &w);
    w.EndArray();
    WriteToken(search, versions.size(), &w);
    return w.EndObject().Take();
  }
  StatusOr<std::string> DownloadUri(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const Target t, TargetOf(a));
    SAFERL_ASSIGN_OR_RETURN(const Version version, store_->Find(t.name, Cat(t.number)));
    return JsonWriter()
        .BeginObject()
        .Field("artifact_uri", Cat("sha256:", version.digest))
        .EndObject()
        .Take();
  }
  StatusOr<std::string> SetVersionTag(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const Target t, TargetOf(a));
    SAFERL_ASSIGN_OR_RETURN(const std::string key, a.Text("key"));
    SAFERL_ASSIGN_OR_RETURN(const std::string value, a.TextOr("value", ""));
    SAFERL_RETURN_IF_ERROR(store_->SetTag(t.name, t.number, {key, value}, kWho));
    return std::string("{}");
  }
  StatusOr<std::string> DeleteVersionTag(const Arguments& a) {
    SAFERL_ASSIGN_OR_RETURN(const Target t, TargetOf(a));
    SAFERL_ASSIGN_OR_RETURN(const std::string key, a.Text("key"));
    SAFERL_RETURN_IF_ERROR(store_->DeleteTag(t.name, t.number, key, kWho));
    return std::string("{}");
  }

 private:
  struct Target {
    std::string name;
    int64_t number = 0;
  };
  static StatusOr<Target> TargetOf(const Arguments& a) {
    Target t;
    SAFERL_ASSIGN_OR_RETURN(t.name, a.Text("name"));
    SAFERL_ASSIGN_OR_RETURN(t.number, a.Number("version"));
    if (t.number < 1) return absl::InvalidArgumentError("version: is below 1");
    return t;
  }

  static StatusOr<Search> SearchOf(const Arguments& a, bool versions, int64_t page) {
    Search search;
    SAFERL_ASSIGN_OR_RETURN(const std::string filter, a.TextOr("filter", ""));
    SAFERL_ASSIGN_OR_RETURN(search.where, ParseFilter(filter, versions));
    SAFERL_ASSIGN_OR_RETURN(const std::vector<std::string> order, a.Texts("order_by"));
    SAFERL_ASSIGN_OR_RETURN(search.order, ParseOrder(order, versions));
    SAFERL_ASSIGN_OR_RETURN(const int64_t limit, a.NumberOr("max_results", page));
    if (limit < 1 || limit > 200'000)
      return absl::InvalidArgumentError(Cat("max_results: ", limit, " is not in 1 to 200000"));
    search.limit = std::min(limit, kMaxPage);  // the rest comes with next_page_token
    SAFERL_ASSIGN_OR_RETURN(const std::string token, a.TextOr("page_token", ""));
    if (token.empty()) return search;
    const char* end = token.data() + token.size();
    if (std::from_chars(token.data(), end, search.offset) !=
            std::from_chars_result{end, std::errc()} ||
        search.offset < 0)
      return absl::InvalidArgumentError("page_token: is not one that a search has given");
    return search;
  }

  static void WriteToken(const Search& search, size_t got, JsonWriter* w) {
    if (static_cast<int64_t>(got) == search.limit)
      w->Field("next_page_token", Cat(search.offset + search.limit));
  }

  /// The newest version of each stage, as MLflow means "latest".
  StatusOr<std::vector<Version>> Latest(const std::string& name,
                                        std::vector<std::string> stages) const {
    if (stages.empty()) stages = {"None", "Staging", "Production", "Archived"};
    std::vector<Version> latest;
    for (std::string stage : stages) {
      for (char& c : stage) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
      if (!stage.empty() && stage[0] >= 'a') stage[0] = static_cast<char>(stage[0] - 32);
      if (stage != "None" && stage != "Staging" && stage != "Production" && stage != "Archived")
        return absl::InvalidArgumentError(
            Cat("stages: '", JsonEscape(stage.substr(0, 40)),
                "' is not one of None, Staging, Production, Archived"));
      Search search;
      search.where = {Named(name), {Condition::Field::kStage, Condition::Op::kEqual, "", {stage}}};
      search.limit = 1;
      SAFERL_ASSIGN_OR_RETURN(const std::vector<Version> one, store_->ListVersions(search));
      latest.insert(latest.end(), one.begin(), one.end());
    }
    return latest;
  }

  StatusOr<std::string> ModelAnswer(const std::string& name) const {
    SAFERL_ASSIGN_OR_RETURN(const registry::Model model, store_->FindModel(name));
    SAFERL_ASSIGN_OR_RETURN(const std::vector<Version> latest, Latest(name, {}));
    JsonWriter w;
    w.BeginObject().Key("registered_model");
    Write(model, latest, &w);
    return w.EndObject().Take();
  }
  StatusOr<std::string> VersionAnswer(const std::string& name, const std::string& ref) const {
    SAFERL_ASSIGN_OR_RETURN(const Version version, store_->Find(name, ref));
    JsonWriter w;
    w.BeginObject().Key("model_version");
    Write(version, &w);
    return w.EndObject().Take();
  }
  static std::string VersionList(const std::vector<Version>& versions) {
    if (versions.empty()) return "{}";
    JsonWriter w;
    w.BeginObject().Key("model_versions").BeginArray();
    for (const Version& version : versions) Write(version, &w);
    return w.EndArray().EndObject().Take();
  }

  Store* store_;
};

struct Entry {
  Method method;
  const char *path, *id, *summary;
  StatusOr<std::string> (Mlflow::*handler)(const Arguments&);
  Fields fields;
  Answer answer;
};

constexpr Field kName{"name", Kind::kText, true, "the model's name"};
constexpr Field kVersion{"version", Kind::kNumber, true, "the version's number"};
constexpr Field kAlias{"alias", Kind::kText, true, "a name of a version"};
constexpr Field kKey{"key", Kind::kText, true, "the tag's name"};
constexpr Field kValue{"value", Kind::kText, false, "what the tag says"};
constexpr Field kTags{"tags", Kind::kTags, false, "tags of the new one"};
constexpr Field kDescription{"description", Kind::kText, false, "for people"};
constexpr Field kStages{"stages", Kind::kTexts, false, "None, Staging, Production, Archived; all"};
constexpr Fields kSearch{
    {{"filter", Kind::kText, false, "name = 'x' AND tags.k LIKE 'v%'"},
     {"order_by", Kind::kTexts, false, "a field, then ASC or DESC"},
     {"max_results", Kind::kNumber, false, "1 to 200000"},
     {"page_token", Kind::kText, false, "next_page_token of the page before"}}};

/// As a call, since a table of calls is short on the page.
constexpr Entry Of(Method method, const char* path, const char* id, const char* summary,
                   StatusOr<std::string> (Mlflow::*handler)(const Arguments&), const Fields& fields,
                   Answer answer) {
  return {method, path, id, summary, handler, fields, answer};
}

constexpr Entry kEntries[] = {
    Of(Method::kPost, "registered-models/create", "CreateModel", "Make a model",
       &Mlflow::CreateModel, {{kName, kDescription, kTags}}, Answer::kModel),
    Of(Method::kPost, "registered-models/rename", "RenameModel", "Rename a model",
       &Mlflow::RenameModel, {{kName, {"new_name", Kind::kText, true, "its name from now on"}}},
       Answer::kModel),
    Of(Method::kPatch, "registered-models/update", "UpdateModel", "Describe a model",
       &Mlflow::UpdateModel, {{kName, kDescription}}, Answer::kModel),
    Of(Method::kDelete, "registered-models/delete", "DeleteModel", "Hide a model and its versions",
       &Mlflow::DeleteModel, {{kName}}, Answer::kNothing),
    Of(Method::kGet, "registered-models/get", "GetModel", "One model", &Mlflow::GetModel, {{kName}},
       Answer::kModel),
    Of(Method::kGet, "registered-models/search", "SearchModels", "Find models",
       &Mlflow::SearchModels, kSearch, Answer::kModels),
    Of(Method::kPost, "registered-models/get-latest-versions", "LatestVersionsByPost",
       "The newest version of each stage", &Mlflow::LatestVersions, {{kName, kStages}},
       Answer::kVersions),
    Of(Method::kGet, "registered-models/get-latest-versions", "LatestVersions",
       "The newest version of each stage", &Mlflow::LatestVersions, {{kName, kStages}},
       Answer::kVersions),
    Of(Method::kPost, "registered-models/set-tag", "SetModelTag", "Tag a model",
       &Mlflow::SetModelTag, {{kName, kKey, kValue}}, Answer::kNothing),
    Of(Method::kDelete, "registered-models/delete-tag", "DeleteModelTag", "Remove a model's tag",
       &Mlflow::DeleteModelTag, {{kName, kKey}}, Answer::kNothing),
    Of(Method::kPost, "registered-models/alias", "SetAlias", "Name a version", &Mlflow::SetAlias,
       {{kName, kAlias, kVersion}}, Answer::kNothing),
    Of(Method::kDelete, "registered-models/alias", "DeleteAlias", "Remove a name",
       &Mlflow::DeleteAlias, {{kName, kAlias}}, Answer::kNothing),
    Of(Method::kGet, "registered-models/alias", "GetByAlias", "The version of a name",
       &Mlflow::GetByAlias, {{kName, kAlias}}, Answer::kVersion),
    Of(Method::kPost, "model-versions/create", "CreateVersion", "Make a version of pushed bytes",
       &Mlflow::CreateVersion,
       {{kName,
         {"source", Kind::kText, true, "sha256:DIGEST or models:/NAME/VERSION"},
         kDescription,
         {"run_id", Kind::kText, false, "the run that made it"},
         {"run_link", Kind::kText, false, "where to see that run"},
         kTags}},
       Answer::kVersion),
    Of(Method::kPatch, "model-versions/update", "UpdateVersion", "Describe a version",
       &Mlflow::UpdateVersion, {{kName, kVersion, kDescription}}, Answer::kVersion),
    Of(Method::kPost, "model-versions/transition-stage", "TransitionStage", "Move to a stage",
       &Mlflow::TransitionStage,
       {{kName,
         kVersion,
         {"stage", Kind::kText, true, "None, Staging, Production or Archived"},
         {"archive_existing_versions", Kind::kTruth, true, "archive what was in it"}}},
       Answer::kVersion),
    Of(Method::kDelete, "model-versions/delete", "DeleteVersion", "Hide a version",
       &Mlflow::DeleteVersion, {{kName, kVersion}}, Answer::kNothing),
    Of(Method::kGet, "model-versions/get", "GetVersion", "One version", &Mlflow::GetVersion,
       {{kName, kVersion}}, Answer::kVersion),
    Of(Method::kGet, "model-versions/search", "SearchVersions", "Find versions",
       &Mlflow::SearchVersions, kSearch, Answer::kVersions),
    Of(Method::kGet, "model-versions/get-download-uri", "DownloadUri", "The digest of the bytes",
       &Mlflow::DownloadUri, {{kName, kVersion}}, Answer::kUri),
    Of(Method::kPost, "model-versions/set-tag", "SetVersionTag", "Tag a version",
       &Mlflow::SetVersionTag, {{kName, kVersion, kKey, kValue}}, Answer::kNothing),
    Of(Method::kDelete, "model-versions/delete-tag", "DeleteVersionTag", "Remove a version's tag",
       &Mlflow::DeleteVersionTag, {{kName, kVersion, kKey}}, Answer::kNothing),
};

/// What one entry is under one prefix.
net::Route RouteOf(const Entry& entry, const std::string& prefix) {
  net::Route route;
  route.method = entry.method;
  route.pattern = Cat(prefix, "/", entry.path);
  route.operation_id = Cat("mlflow", entry.id, prefix.starts_with("/ajax") ? "Ajax" : "");
  route.summary = entry.summary;
  route.tag = "MLflow model registry";
  route.run = net::Run::kPool;
  route.response_schema = SchemaOf(entry.answer);
  route.errors = {404, 409};
  if (entry.method == Method::kGet) {
    route.query = QueryFields(entry.fields);
  } else {
    route.request_schema = BodySchema(entry.fields);
  }
  return route;
}

}  // namespace

void AddRoutes(Store* store, net::Router* router) {
  const auto mlflow = std::make_shared<Mlflow>(store);
  for (const std::string prefix : {"/api/2.0/mlflow", "/ajax-api/2.0/mlflow"}) {
    router->SetErrorShape(
        prefix,
        [](const Request&, int status, std::string_view detail) { return Error(status, detail); },
        ErrorSchema());
    for (const Entry& entry : kEntries) {
      net::Route route = RouteOf(entry, prefix);
      route.handler = [mlflow, &entry](const Request& request) {
        const StatusOr<Arguments> arguments = Arguments::Of(request, entry.fields);
        if (!arguments.ok()) return Error(arguments.status());
        StatusOr<std::string> answer = ((*mlflow).*entry.handler)(*arguments);
        return answer.ok() ? Response::Json(*std::move(answer)) : Error(answer.status());
      };
      router->Add(std::move(route));
    }
  }
}

}  // namespace saferl::services::mlflow
