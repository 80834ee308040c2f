#include <charconv>

#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/control/decision_codec.h"
#include "saferl/services/api/etag.h"
#include "saferl/services/api/pagination.h"
#include "saferl/services/decide/resource_routes.h"

namespace saferl::services {
namespace {

using net::Request;
using net::Response;

constexpr std::string_view kItemSchema =
    R"({"type":"object","properties":{"id":{"type":"string"},"robot":{"type":"string"},)"
    R"("session":{"type":"string"},"tick":{"type":"integer"},"at_ns":{"type":"integer"},)"
    R"("type":{"type":"string"},"model":{"type":"string"},"version":{"type":"string"},)"
    R"("mode":{"type":"string"},"reason":{"type":"string"}}})";
constexpr std::string_view kReplaySchema =
    R"({"type":"object","properties":{"identical":{"type":"boolean"},"ticks":{"type":"integer"},)"
    R"("first_tick":{"type":"integer"},"different":{"type":"integer"},)"
    R"("first_difference":{"type":["integer","null"]},"difference":{"type":"string"}}})";

std::vector<net::FieldSpec> ListFields() {
  std::vector<net::FieldSpec> fields = PageFields();
  fields.push_back({.name = "robot", .type = "string", .doc = "of this robot"});
  fields.push_back({.name = "session", .type = "string", .doc = "of this session"});
  fields.push_back({.name = "mode", .type = "string", .doc = "nominal, degraded, hold, ..."});
  fields.push_back({.name = "reason", .type = "string", .doc = "stop_requested, human_stale, ..."});
  fields.push_back({.name = "from_ns", .type = "integer", .doc = "not before, ns since 1970"});
  fields.push_back({.name = "to_ns", .type = "integer", .doc = "not after, ns since 1970"});
  return fields;
}

/// The enum value of that name among `count`.
template <class E>
Status ByName(const Request& request, const char* field, int count, std::optional<E>* out) {
  const std::string* text = request.Query(field);
  if (text == nullptr) return absl::OkStatus();
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) {
    names.emplace_back(safety::Name(static_cast<E>(i)));
    if (names.back() == *text) *out = static_cast<E>(i);
  }
  if (out->has_value()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      Cat(field, ": '", text->substr(0, 64), "' is not one of ", Join(names, ", ")));
}

StatusOr<DecisionFilter> ReadFilter(const Request& request) {
  DecisionFilter filter;
  if (const std::string* robot = request.Query("robot")) filter.robot = *robot;
  if (const std::string* session = request.Query("session")) filter.session = *session;
  SAFERL_RETURN_IF_ERROR(
      ByName(request, "mode", static_cast<int>(safety::Mode::kProtectiveStop) + 1, &filter.mode));
  SAFERL_RETURN_IF_ERROR(
      ByName(request, "reason", static_cast<int>(safety::Reason::kCount), &filter.reason));
  SAFERL_RETURN_IF_ERROR(ReadTime(request, "from_ns", &filter.from_ns));
  SAFERL_RETURN_IF_ERROR(ReadTime(request, "to_ns", &filter.to_ns));
  return filter;
}

std::string ItemJson(const KeptDecision& d) {
  JsonWriter w;
  w.BeginObject().Field("id", d.head.id).Field("robot", d.head.robot);
  w.Field("session", d.head.session).Field("tick", d.tick).Field("at_ns", d.at_ns);
  w.Field("type", d.head.type).Field("model", d.head.model).Field("version", d.head.version);
  w.Field("mode", safety::Name(d.mode)).Field("reason", safety::Name(d.reason));
  return w.EndObject().Take();
}

Response List(DecisionStore* store, const Request& request) {
  const auto read = [&](const Page& page, int rows) -> StatusOr<std::vector<KeptDecision>> {
    SAFERL_ASSIGN_OR_RETURN(const DecisionFilter filter, ReadFilter(request));
    SAFERL_ASSIGN_OR_RETURN(const auto after, AfterTime(page));
    return store->List(filter, rows, after);
  };
  return ListPage(request, 2, read, ItemJson,
                  [](const KeptDecision& d) { return std::vector{Cat(d.at_ns), d.head.id}; });
}

StatusOr<std::string> FullJson(const KeptDecision& kept, Sessions* sessions) {
  SAFERL_ASSIGN_OR_RETURN(const auto robot, sessions->RobotOf(kept.head.type));
  const auto decision = std::make_unique<control::Decision>();
  SAFERL_RETURN_IF_ERROR(
      control::DecodeDecision(control::ShapeOf(*robot), kept.record, decision.get()));
  JsonWriter w;
  w.BeginObject().Field("tick", kept.tick).Field("at_ns", kept.at_ns).Key("decision");
  w.Raw(EncodeDecisionJson(*robot, kept.head, *decision)).Key("request");
  w.Raw(EncodeDecideRequest(*robot, kept.head.robot, decision->input));
  return w.EndObject().Take();
}

Response Get(DecisionStore* store, Sessions* sessions, const Request& request) {
  const auto kept = store->Get(request.Param("id"));
  if (!kept.ok()) return Problem(request, kept.status());
  const auto json = FullJson(*kept, sessions);
  if (!json.ok()) return Problem(request, json.status());
  return WithETag(request, Response::Json(*json));
}

Response Replay(DecisionStore* store, const Request& request) {
  const auto replay = store->Replay(request.Param("id"));
  if (!replay.ok()) {
    const bool gone = replay.status().code() == absl::StatusCode::kFailedPrecondition;
    return gone ? Problem(request, 409, "", std::string(replay.status().message()))
                : Problem(request, replay.status());
  }
  JsonWriter w;
  w.BeginObject().Field("identical", replay->different == 0).Field("ticks", replay->ticks);
  w.Field("first_tick", replay->first_tick).Field("different", replay->different);
  w.Key("first_difference");
  if (replay->different == 0) {
    w.Null();
  } else {
    w.Value(replay->first_difference);
  }
  return Response::Json(w.Field("difference", replay->difference).EndObject().Take());
}

}  // namespace

void AddDecisionRoutes(DecisionStore* store, Sessions* sessions, net::Router* router) {
  net::Route list = ApiRoute(net::Method::kGet, "/api/v1/decisions", "listDecisions",
                             "Kept decisions, newest first",
                             [store](const Request& request) { return List(store, request); });
  list.query = ListFields();
  list.response_schema = PageSchema(kItemSchema);
  router->Add(std::move(list));
  net::Route get =
      ApiRoute(net::Method::kGet, "/api/v1/decisions/{id}", "getDecision",
               "A kept decision, and the request that made it",
               [store, sessions](const Request& request) { return Get(store, sessions, request); });
  get.errors = {404};
  ListsETag(&get);
  get.response_schema = Cat(R"({"type":"object","properties":{"tick":{"type":"integer"},)"
                            R"("at_ns":{"type":"integer"},"decision":)",
                            DecisionSchema(), R"(,"request":)", DecideRequestSchema(), "}}");
  router->Add(std::move(get));
  net::Route replay =
      ApiRoute(net::Method::kPost, "/api/v1/decisions/{id}/replay", "replayDecision",
               "Runs the Tick again from its recorded inputs: bit-equal, or where it differs",
               [store](const Request& request) { return Replay(store, request); });
  replay.request_types = {};
  replay.errors = {404, 409};
  replay.response_schema = kReplaySchema;
  router->Add(std::move(replay));
}

}  // namespace saferl::services
