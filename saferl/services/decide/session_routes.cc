#include "saferl/base/config.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/services/api/etag.h"
#include "saferl/services/api/pagination.h"
#include "saferl/services/decide/resource_routes.h"

namespace saferl::services {
namespace {

using net::Request;
using net::Response;

constexpr std::string_view kPath = "/api/v1/sessions";
constexpr std::string_view kSessionSchema =
    R"({"type":"object","properties":{"id":{"type":"string"},"robot":{"type":"string"},)"
    R"("type":{"type":"string"},"model":{"type":"string"},"version":{"type":"string"},)"
    R"("served_version":{"type":"string"},"policy_sha256":{"type":"string"},)"
    R"("ticks":{"type":"integer"},"mode":{"type":"string"},"reason":{"type":"string"},)"
    R"("created_ns":{"type":"integer"},"used_ns":{"type":"integer"}}})";
constexpr std::string_view kBodySchema =
    R"({"type":"object","additionalProperties":false,"required":["robot","type"],"properties":{)"
    R"("robot":{"type":"string"},"type":{"type":"string"},)"
    R"("model":{"type":"object","additionalProperties":false,"properties":{"name":{"type":"string"},"version":{"type":"string"}}},)"
    R"("limits":{"type":"object","additionalProperties":{"type":"number"}}}})";

std::string SessionJson(const SessionInfo& s) {
  JsonWriter w;
  w.BeginObject().Field("id", s.id).Field("robot", s.robot).Field("type", s.type);
  w.Field("model", s.model).Field("version", s.version).Field("served_version", s.served_version);
  w.Field("policy_sha256", s.policy_sha256).Field("ticks", s.ticks);
  w.Field("mode", safety::Name(s.mode)).Field("reason", safety::Name(s.reason));
  return w.Field("created_ns", s.created_ns).Field("used_ns", s.used_ns).EndObject().Take();
}

struct ModelBody {
  std::string name, version;
  template <class V>
  static void Visit(V& v, ModelBody& b) {
    v.Field("name", b.name, {.doc = "the policy"});
    v.Field("version", b.version, {.doc = "version or alias"});
  }
};
struct SessionBody {
  std::string robot, type;
  ModelBody model;
  template <class V>
  static void Visit(V& v, SessionBody& b) {
    v.Field("robot", b.robot, {.doc = "the robot's id", .required = true});
    v.Field("type", b.type, {.doc = "wheelchair, arm7, ...", .required = true});
    v.Field("model", b.model, {.doc = "name and version"});
  }
};

StatusOr<SessionParameters> ReadBody(const Request& request) {
  SAFERL_ASSIGN_OR_RETURN(Node node, ParseJson(request.body, "body"));
  SessionParameters p;
  std::erase_if(node.mutable_entries(), [&](const Node::Entry& entry) {
    if (entry.key != "limits") return false;
    for (const Node::Entry& limit : entry.value.entries()) {
      const StatusOr<double> value = limit.value.AsDouble();
      // Sessions::Create refuses what is not a number by its name.
      p.limits.emplace_back(limit.key, value.value_or(std::numeric_limits<double>::quiet_NaN()));
    }
    return true;
  });
  SAFERL_ASSIGN_OR_RETURN(const SessionBody body, config::Read<SessionBody>(node));
  if (!IsModelName(body.robot))
    return absl::InvalidArgumentError(
        "robot: not a name of 1 to 64 characters A-Z a-z 0-9 . _ -; correct it");
  p.robot = body.robot;
  p.type = body.type;
  p.model = body.model.name;
  p.version = body.model.version;
  return p;
}

Response Create(Sessions* sessions, const Request& request) {
  const auto parameters = ReadBody(request);
  if (!parameters.ok()) return Problem(request, parameters.status());
  const auto made = sessions->Create(*parameters);
  if (!made.ok()) return Problem(request, made.status());
  Response response = Response::Json(SessionJson(*made), 201);
  response.headers.Set("Location", Cat(kPath, "/", made->robot));
  response.headers.Set("ETag", ETagOf(response.body));
  return response;
}

Response List(Sessions* sessions, const Request& request) {
  const auto read = [&](const Page& page, int /*rows*/) -> StatusOr<std::vector<SessionInfo>> {
    std::vector<SessionInfo> all = sessions->List();
    if (!page.after.empty())
      std::erase_if(all, [&](const SessionInfo& s) { return s.robot <= page.after[0]; });
    return all;
  };
  return ListPage(request, 1, read, SessionJson,
                  [](const SessionInfo& s) { return std::vector{s.robot}; });
}

Response Get(Sessions* sessions, const Request& request) {
  const auto found = sessions->Find(request.Param("robot"));
  if (!found.ok()) return Problem(request, found.status());
  return WithETag(request, Response::Json(SessionJson(*found)));
}

Response End(Sessions* sessions, const Request& request) {
  const auto found = sessions->Find(request.Param("robot"));
  if (!found.ok()) return Problem(request, found.status());
  if (const Status match = CheckIfMatch(request, ETagOf(SessionJson(*found))); !match.ok())
    return Problem(request, match);
  if (const Status ended = sessions->End(request.Param("robot")); !ended.ok())
    return Problem(request, ended);
  Response response;
  response.status = 204;
  return response;
}

}  // namespace

void AddSessionRoutes(Sessions* sessions, Idempotency* idempotency, net::Router* router) {
  const std::string one = Cat(kPath, "/{robot}");
  net::Route list =
      ApiRoute(net::Method::kGet, std::string(kPath), "listSessions", "Sessions by robot",
               [sessions](const Request& request) { return List(sessions, request); });
  list.query = PageFields();
  list.response_schema = PageSchema(kSessionSchema);
  router->Add(std::move(list));
  net::Route create =
      ApiRoute(net::Method::kPost, std::string(kPath), "createSession",
               "Makes a robot's session before its first tick",
               [sessions](const Request& request) { return Create(sessions, request); });
  create.request_schema = kBodySchema;
  create.response_schema = kSessionSchema;
  create.errors = {404, 409, 429};
  ListsNewETag(&create);
  idempotency->Once(&create);
  router->Add(std::move(create));
  net::Route get = ApiRoute(net::Method::kGet, one, "getSession", "A robot's session",
                            [sessions](const Request& request) { return Get(sessions, request); });
  get.response_schema = kSessionSchema;
  get.errors = {404};
  ListsETag(&get);
  router->Add(std::move(get));
  net::Route end = ApiRoute(net::Method::kDelete, one, "endSession",
                            "Ends it; a latched stop stays with the robot",
                            [sessions](const Request& request) { return End(sessions, request); });
  end.success = {204};
  end.errors = {404};
  ListsIfMatch(&end);
  router->Add(std::move(end));
}

}  // namespace saferl::services
