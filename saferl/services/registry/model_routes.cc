#include "saferl/services/registry/model_routes.h"

#include <algorithm>

#include "saferl/base/config.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/policy/package.h"
#include "saferl/registry/describe.h"
#include "saferl/services/api/api_route.h"
#include "saferl/services/api/etag.h"
#include "saferl/services/api/pagination.h"
#include "saferl/services/rollouts/operations.h"
#include "saferl/services/stores.h"

namespace saferl::services {
namespace {

using net::Request;
using net::Response;
using registry::Condition;
using registry::Version;

constexpr std::string_view kPath = "/api/v1/models";
constexpr std::string_view kModelSchema =
    R"({"type":"object","properties":{"name":{"type":"string"},"description":{"type":"string"},)"
    R"("created":{"type":"string"},"updated":{"type":"string"},)"
    R"("aliases":{"type":"object","additionalProperties":{"type":"integer"}},)"
    R"("tags":{"type":"object","additionalProperties":{"type":"string"}}}})";
constexpr std::string_view kVersionSchema =
    R"({"type":"object","properties":{"model":{"type":"string"},"version":{"type":"integer"},)"
    R"("sha256":{"type":"string"},"bytes":{"type":"integer"},"robot":{"type":"string"},)"
    R"("author":{"type":"string"},"created":{"type":"string"},"stage":{"type":"string"},)"
    R"("aliases":{"type":"array","items":{"type":"string"}},"quarantined":{"type":"boolean"},)"
    R"("tags":{"type":"object"},"lineage":{"type":"object"}}})";
constexpr std::string_view kShowSchema =
    R"({"type":"object","properties":{"version":{"type":"object"},"signatures":{"type":"array",)"
    R"("items":{"type":"object","properties":{"kind":{"type":"string"},"key_id":{"type":"string"},)"
    R"("at":{"type":"string"},"verdict":{"type":"string"}}}},"approvals":{"type":"array","items":{"type":"object"}}}})";
constexpr std::string_view kPushedSchema =
    R"({"type":"object","properties":{"created":{"type":"boolean","description":"false: these bytes were there"},)"
    R"("version":{"type":"object"}}})";
constexpr std::string_view kAliasSchema =
    R"({"type":"object","additionalProperties":false,"required":["version","who"],"properties":{)"
    R"("version":{"type":"integer","minimum":1},"who":{"type":"string"}}})";
constexpr std::string_view kApproveSchema =
    R"({"type":"object","additionalProperties":false,"required":["who"],"properties":{)"
    R"("who":{"type":"string"},"note":{"type":"string","maxLength":1000}}})";
constexpr std::string_view kApprovedSchema =
    R"({"type":"object","properties":{"rollout":{"type":["string","null"],"description":"that waited for it"},)"
    R"("approvals":{"type":"array","items":{"type":"object"}}}})";
constexpr size_t kMaxText = 1000;

struct AliasBody {
  int64_t version = 0;
  std::string who;
  template <class V>
  static void Visit(V& v, AliasBody& b) {
    v.Field("version", b.version, {.doc = "its number", .min = 1, .required = true});
    v.Field("who", b.who, {.doc = "who does this", .required = true});
  }
};
struct ApproveBody {
  std::string who, note;
  template <class V>
  static void Visit(V& v, ApproveBody& b) {
    v.Field("who", b.who, {.doc = "who agrees", .required = true});
    v.Field("note", b.note, {.doc = "what it rests on"});
  }
};

template <class T>
std::string JsonOf(const T& value) {
  JsonWriter w;
  Write(value, &w);
  return w.Take();
}

/// A rule refuses: 409. 412 is If-Match's.
Response Refused(const Request& request, const Status& status) {
  return absl::IsFailedPrecondition(status) ? Problem(request, 409, "", Cat(status.message()))
                                            : Problem(request, status);
}

std::vector<net::FieldSpec> VersionFields() {
  std::vector<net::FieldSpec> fields = PageFields();
  fields.push_back({.name = "sha256", .type = "string", .doc = "with these bytes"});
  fields.push_back({.name = "stage", .type = "string", .doc = "in this stage"});
  return fields;
}
std::vector<net::FieldSpec> UploadFields() {
  return {{.name = "who", .type = "string", .doc = "who pushes it", .required = true},
          {.name = "description", .type = "string", .doc = "what is new"},
          {.name = "alias", .type = "string", .doc = "name this version"}};
}

class Models {
 public:
  Models(registry::Store* store, const ServiceConfig& config) : store_(store), config_(config) {}

  Response List(const Request& request) {
    const auto read = [&](const Page& page, int rows) {
      registry::Search search;
      search.limit = rows;
      if (!page.after.empty())
        search.where = {{Condition::Field::kName, Condition::Op::kAbove, "", {page.after[0]}}};
      return store_->ListModels(search);
    };
    return ListPage(
        request, 1, read, [](const registry::Model& m) { return JsonOf(m); },
        [](const registry::Model& m) { return std::vector{m.name}; });
  }

  Response Get(const Request& request) {
    const auto model = store_->FindModel(request.Param("model"));
    if (!model.ok()) return Problem(request, model.status());
    return WithETag(request, Response::Json(JsonOf(*model)));
  }

  Response Versions(const Request& request) {
    const auto read = [&](const Page& page, int rows) -> StatusOr<std::vector<Version>> {
      const std::string& model = request.Param("model");
      SAFERL_RETURN_IF_ERROR(store_->FindModel(model).status());
      registry::Search search;
      search.limit = rows;
      const auto where = [&](Condition::Field field, Condition::Op op, const std::string& value) {
        search.where.push_back({field, op, "", {value}});
      };
      where(Condition::Field::kName, Condition::Op::kEqual, model);
      if (const std::string* digest = request.Query("sha256"))
        where(Condition::Field::kDigest, Condition::Op::kEqual, *digest);
      if (const std::string* stage = request.Query("stage"))
        where(Condition::Field::kStage, Condition::Op::kEqual, *stage);
      if (!page.after.empty())
        where(Condition::Field::kNumber, Condition::Op::kBelow, page.after[0]);
      return store_->ListVersions(search);
    };
    return ListPage(
        request, 1, read, [](const Version& v) { return JsonOf(v); },
        [](const Version& v) { return std::vector{Cat(v.number)}; });
  }

  /// The body is the package.
  Response Upload(const Request& request) {
    if (const Status known = CheckQuery(request); !known.ok()) return Problem(request, known);
    const auto query = [&request](const char* name) {
      const std::string* text = request.Query(name);
      return text == nullptr ? std::string() : *text;
    };
    registry::PushRequest push{
        .model = request.Param("model"), .package = request.body, .who = query("who")};
    push.description = query("description");
    if (const Status who = registry::CheckName("who", push.who); !who.ok())
      return Problem(request, who);
    if (push.description.size() > kMaxText)
      return Problem(request, 400, "", Cat("description: longer than ", kMaxText, " bytes"));
    const std::string alias = query("alias");
    if (!alias.empty()) {
      if (const Status good = registry::CheckAlias(alias); !good.ok())
        return Problem(request, good);
    }
    const auto pushed = store_->Push(push);
    if (!pushed.ok()) return Refused(request, pushed.status());
    const int64_t number = pushed->version.number;
    if (!alias.empty()) {
      if (const Status named = store_->SetAlias(push.model, alias, number, push.who); !named.ok())
        return Refused(request, named);
    }
    const auto version = store_->Find(push.model, Cat(number));
    if (!version.ok()) return Problem(request, version.status());
    JsonWriter w;
    w.BeginObject().Field("created", pushed->created).Key("version");
    Write(*version, &w);
    Response response = Response::Json(w.EndObject().Take(), pushed->created ? 201 : 200);
    response.headers.Set("Location", Cat(kPath, "/", push.model, "/versions/", number));
    const auto shown = Show(*version);
    if (shown.ok()) response.headers.Set("ETag", ETagOf(*shown));
    return response;
  }

  Response GetVersion(const Request& request) {
    const auto version = Find(request);
    if (!version.ok()) return Problem(request, version.status());
    const auto shown = Show(*version);
    if (!shown.ok()) return Problem(request, shown.status());
    return WithETag(request, Response::Json(*shown));
  }

  Response Download(const Request& request) {
    const auto version = Find(request);
    if (!version.ok()) return Problem(request, version.status());
    auto bytes = store_->Bytes(version->digest);
    if (!bytes.ok()) return Problem(request, bytes.status());
    Response response;
    response.content_type = "application/octet-stream";
    response.body = *std::move(bytes);
    response.compress = false;
    response.headers.Set("Content-Disposition", Cat("attachment; filename=\"", version->model, "-",
                                                    version->number, ".policy\""));
    return WithETag(request, std::move(response));
  }

  Response PutAlias(const Request& request) {
    const auto node = ParseJson(request.body, "body");
    if (!node.ok()) return Problem(request, node.status());
    const auto body = config::Read<AliasBody>(*node);
    if (!body.ok()) return Problem(request, body.status());
    return ChangeAlias(request, [&](const std::string& model, const std::string& alias) {
      return store_->SetAlias(model, alias, body->version, body->who);
    });
  }

  Response DeleteAlias(const Request& request) {
    const std::string* who = request.Query("who");
    if (who == nullptr) return Problem(request, 400, "", "who: is missing; say who does this");
    return ChangeAlias(request, [&](const std::string& model, const std::string& alias) {
      return store_->DeleteAlias(model, alias, *who);
    });
  }

  Response Agree(const Request& request) {
    const auto node = ParseJson(request.body, "body");
    if (!node.ok()) return Problem(request, node.status());
    const auto body = config::Read<ApproveBody>(*node);
    if (!body.ok()) return Problem(request, body.status());
    if (body->note.size() > kMaxText)
      return Problem(request, 400, "", Cat("note: longer than ", kMaxText, " bytes"));
    const auto version = Find(request);
    if (!version.ok()) return Problem(request, version.status());
    const auto rollout = Approve(store_, *version, {body->who, body->note});
    if (!rollout.ok()) return Refused(request, rollout.status());
    const auto approvals = store_->Approvals(version->model, version->number);
    if (!approvals.ok()) return Problem(request, approvals.status());
    JsonWriter w;
    w.BeginObject().Key("rollout");
    if (rollout->empty()) {
      w.Null();
    } else {
      w.Value(*rollout);
    }
    w.Key("approvals").BeginArray();
    for (const registry::Approval& a : *approvals) Write(a, &w);
    return Response::Json(w.EndArray().EndObject().Take());
  }

 private:
  StatusOr<Version> Find(const Request& request) {
    return store_->Find(request.Param("model"), request.Param("version"));
  }

  /// With its signatures, checked now, and its approvals.
  StatusOr<std::string> Show(const Version& version) {
    SAFERL_ASSIGN_OR_RETURN(const auto signatures, store_->Signatures(version.digest));
    SAFERL_ASSIGN_OR_RETURN(const auto approvals, store_->Approvals(version.model, version.number));
    SAFERL_ASSIGN_OR_RETURN(const registry::Keyring keyring, LoadKeyring(config_));
    JsonWriter w;
    w.BeginObject().Key("version");
    Write(version, &w);
    w.Key("signatures").BeginArray();
    for (const registry::Signature& s : signatures) {
      const auto key = VerifySignature(version.digest, s, keyring);
      w.BeginObject().Field("kind", s.kind).Field("key_id", s.key_id);
      w.Field("at", registry::IsoTime(s.at_ns));
      w.Field("verdict", key.ok() ? Cat("good, by ", key->owner) : Cat(key.status().message()));
      w.EndObject();
    }
    w.EndArray().Key("approvals").BeginArray();
    for (const registry::Approval& a : approvals) Write(a, &w);
    return w.EndArray().EndObject().Take();
  }

  /// The tag is the model's: whoever moves an alias has seen where it was.
  template <class F>
  Response ChangeAlias(const Request& request, F change) {
    const std::string& name = request.Param("model");
    const auto before = store_->FindModel(name);
    if (!before.ok()) return Problem(request, before.status());
    if (const Status match = CheckIfMatch(request, ETagOf(JsonOf(*before))); !match.ok())
      return Problem(request, match);
    if (const Status changed = change(name, request.Param("alias")); !changed.ok())
      return Refused(request, changed);
    const auto after = store_->FindModel(name);
    if (!after.ok()) return Problem(request, after.status());
    Response response = Response::Json(JsonOf(*after));
    response.headers.Set("ETag", ETagOf(response.body));
    return response;
  }

  registry::Store* store_;
  const ServiceConfig config_;
};

net::Route Make(net::Method method, std::string pattern, const char* id, const char* summary,
                std::string_view response_schema, std::vector<int> errors, net::Handler handler) {
  net::Route route =
      ApiRoute(method, std::move(pattern), id, summary, std::move(handler), "models");
  route.response_schema = response_schema;
  route.errors = std::move(errors);
  return route;
}

void AddChanges(const std::shared_ptr<Models>& models, Idempotency* idempotency,
                net::Router* router) {
  const std::string one = Cat(kPath, "/{model}"), version = one + "/versions/{version}";
  net::Route upload =
      Make(net::Method::kPost, one + "/versions", "pushVersion",
           "Puts a model package into the registry; the body is the package", kPushedSchema, {409},
           [models](const Request& r) { return models->Upload(r); });
  upload.query = UploadFields();
  upload.request_types = {net::kBytesType};
  upload.max_body_bytes = policy::kMaxPackageBytes;
  ListsNewETag(&upload);
  upload.success = {200, 201};  // 200: the same bytes were there
  idempotency->Once(&upload);
  router->Add(std::move(upload));
  net::Route agree =
      Make(net::Method::kPost, version + "/approvals", "approveVersion",
           "A person other than the pusher says that robots may run it", kApprovedSchema,
           {404, 409}, [models](const Request& r) { return models->Agree(r); });
  agree.request_schema = kApproveSchema;
  idempotency->Once(&agree);
  router->Add(std::move(agree));
  net::Route put = Make(net::Method::kPut, one + "/aliases/{alias}", "putAlias",
                        "Names a version; If-Match takes the model's tag", kModelSchema, {404, 409},
                        [models](const Request& r) { return models->PutAlias(r); });
  put.request_schema = kAliasSchema;
  ListsIfMatch(&put);
  router->Add(std::move(put));
  net::Route erase =
      Make(net::Method::kDelete, one + "/aliases/{alias}", "deleteAlias", "Takes the name away",
           kModelSchema, {404, 409}, [models](const Request& r) { return models->DeleteAlias(r); });
  erase.query = {{.name = "who", .type = "string", .doc = "who does this", .required = true}};
  ListsIfMatch(&erase);
  router->Add(std::move(erase));
}

}  // namespace

void AddModelRoutes(registry::Store* store, Idempotency* idempotency, const ServiceConfig& config,
                    net::Router* router) {
  const auto models = std::make_shared<Models>(store, config);
  const std::string path(kPath), one = Cat(kPath, "/{model}");
  const std::string version = one + "/versions/{version}";
  net::Route list =
      Make(net::Method::kGet, path, "listModels", "Models by name", PageSchema(kModelSchema), {},
           [models](const Request& r) { return models->List(r); });
  list.query = PageFields();
  router->Add(std::move(list));
  const auto get = [&](const std::string& pattern, const char* id, const char* summary,
                       std::string_view schema, Response (Models::*handler)(const Request&)) {
    net::Route route = Make(net::Method::kGet, pattern, id, summary, schema, {404},
                            [models, handler](const Request& r) { return (*models.*handler)(r); });
    if (schema.empty()) route.response_type = net::kBytesType;
    ListsETag(&route);
    router->Add(std::move(route));
  };
  get(one, "getModel", "A model and its aliases", kModelSchema, &Models::Get);
  net::Route versions = Make(net::Method::kGet, one + "/versions", "listVersions",
                             "Its versions, newest first", PageSchema(kVersionSchema), {404},
                             [models](const Request& r) { return models->Versions(r); });
  versions.query = VersionFields();
  router->Add(std::move(versions));
  get(version, "getVersion",
      "A version by number or alias, its signatures checked now, its approvals", kShowSchema,
      &Models::GetVersion);
  get(version + "/package", "downloadVersion", "The model package itself", "", &Models::Download);
  AddChanges(models, idempotency, router);
}

}  // namespace saferl::services
