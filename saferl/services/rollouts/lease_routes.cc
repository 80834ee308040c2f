#include "saferl/services/rollouts/lease_routes.h"

#include "saferl/base/config.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/services/api/api_route.h"

namespace saferl::services {
namespace {

using net::Request;
using net::Response;

constexpr std::string_view kLeaseSchema =
    R"({"type":"object","additionalProperties":false,"required":["model","robot","episode"],)"
    R"("properties":{"model":{"type":"string"},"robot":{"type":"string"},)"
    R"("episode":{"type":"string","minLength":1,"maxLength":128}}})";
constexpr std::string_view kAnswerSchema =
    R"({"type":"object","properties":{"model":{"type":"string"},"robot":{"type":"string"},)"
    R"("episode":{"type":"string"},"rollout":{"type":["string","null"]},)"
    R"("version":{"type":["integer","null"],"description":"to run in this episode; null: none, stand still"},)"
    R"("stable":{"type":["integer","null"],"description":"to run when the lease has ended"},)"
    R"("shadow":{"type":["integer","null"],"description":"to compute beside it and report, moving nothing"},)"
    R"("lease_s":{"type":["number","null"],"description":"from when the robot asked, by its own clock; null: without end"},)"
    R"("renew_s":{"type":"number","description":"ask again after so many seconds"}}})";
constexpr std::string_view kReportSchema =
    R"({"type":"object","additionalProperties":false,"required":["report","robot","version","seconds"],)"
    R"("properties":{"report":{"type":"string","description":"an id of the robot's own; the same again counts once"},)"
    R"("robot":{"type":"string"},"version":{"type":"integer","minimum":0,"description":"that ran, or in the shadow would have run; 0: none, where there is no stable one"},)"
    R"("seconds":{"type":"number","exclusiveMinimum":0,"maximum":3600,"description":"how long"},)"
    R"("hard":{"type":"integer","minimum":0,"maximum":100000,"description":"hard constraints violated"},)"
    R"("violations":{"type":"integer","minimum":0,"maximum":100000,"description":"soft ones"},)"
    R"("interventions":{"type":"integer","minimum":0,"maximum":100000,"description":"a person or the filter took over from the policy"},)"
    R"("deadlines":{"type":"integer","minimum":0,"maximum":100000,"description":"commands that came late"},)"
    R"("refusals":{"type":"integer","minimum":0,"maximum":100000,"description":"the person steered against the policy"}}})";
constexpr std::string_view kCountedSchema =
    R"({"type":"object","properties":{"counted":{"type":"boolean","description":"false: it was counted before"}}})";

constexpr size_t kMostEpisode = 128;

struct LeaseBody {
  std::string model, robot, episode;
  template <class V>
  static void Visit(V& v, LeaseBody& b) {
    v.Field("model", b.model, {.doc = "the policy that the robot runs", .required = true});
    v.Field("robot", b.robot, {.doc = "the robot's id", .required = true});
    v.Field("episode", b.episode, {.doc = "from standstill to standstill", .required = true});
  }
};

struct ReportBody {
  RobotReport report;
  template <class V>
  static void Visit(V& v, ReportBody& b) {
    RobotReport& r = b.report;
    v.Field("report", r.id, {.doc = "an id of the robot's own", .required = true});
    v.Field("robot", r.robot, {.doc = "the robot's id", .required = true});
    v.Field("version", r.version, {.doc = "that ran", .min = 0, .required = true});
    v.Field("seconds", r.seconds, {.doc = "how long", .unit = "s", .required = true});
    for (size_t k = 0; k < kBadKinds; ++k)
      v.Field(kBadNames[k], r.bad[k], {.doc = "bad events of this kind"});
  }
};

void NumberOrNull(const char* key, int64_t number, JsonWriter* w) {
  w->Key(key);
  if (number == 0) {
    w->Null();
  } else {
    w->Value(number);
  }
}

std::string AnswerJson(const LeaseBody& asked, const LeaseAnswer& answer) {
  JsonWriter w;
  w.BeginObject().Field("model", asked.model).Field("robot", asked.robot);
  w.Field("episode", asked.episode).Key("rollout");
  if (answer.rollout.empty()) {
    w.Null();
  } else {
    w.Value(answer.rollout);
  }
  NumberOrNull("version", answer.version, &w);
  NumberOrNull("stable", answer.stable, &w);
  NumberOrNull("shadow", answer.shadow, &w);
  w.Key("lease_s");
  if (answer.lease_s > 0) {
    w.Value(answer.lease_s);
  } else {
    w.Null();
  }
  return w.Field("renew_s", answer.renew_s).EndObject().Take();
}

Response Lease(registry::Store* store, const Request& request) {
  const auto node = ParseJson(request.body, "body");
  if (!node.ok()) return Problem(request, node.status());
  const auto body = config::Read<LeaseBody>(*node);
  if (!body.ok()) return Problem(request, body.status());
  if (const Status good = registry::CheckName("robot", body->robot); !good.ok())
    return Problem(request, good);
  if (body->episode.empty() || body->episode.size() > kMostEpisode)
    return Problem(request, 400, "",
                   Cat("episode: not 1 to ", kMostEpisode, " bytes; name it by its start"));
  const StatusOr<LeaseAnswer> answer = GrantLease(store, body->model, body->robot, body->episode);
  if (!answer.ok()) return Problem(request, answer.status());
  return Response::Json(AnswerJson(*body, *answer));
}

Response Report(EvidenceStore* evidence, const Request& request) {
  const auto node = ParseJson(request.body, "body");
  if (!node.ok()) return Problem(request, node.status());
  auto body = config::Read<ReportBody>(*node);
  if (!body.ok()) return Problem(request, body.status());
  body->report.rollout = request.Param("rollout");
  const StatusOr<bool> counted = evidence->Report(body->report);
  if (!counted.ok()) {
    return absl::IsFailedPrecondition(counted.status())
               ? Problem(request, 409, "", Cat(counted.status().message()))
               : Problem(request, counted.status());
  }
  return Response::Json(JsonWriter().BeginObject().Field("counted", *counted).EndObject().Take());
}

}  // namespace

void AddLeaseRoutes(registry::Store* store, EvidenceStore* evidence, net::Router* router) {
  net::Route lease = ApiRoute(
      net::Method::kPost, "/api/v1/leases", "takeLease",
      "Which version a robot runs in this episode, and until when; also renews it",
      [store](const Request& request) { return Lease(store, request); }, "rollouts");
  lease.request_schema = kLeaseSchema;
  lease.response_schema = kAnswerSchema;
  lease.errors = {404};
  router->Add(std::move(lease));
  net::Route report = ApiRoute(
      net::Method::kPost, "/api/v1/rollouts/{rollout}/reports", "reportEvidence",
      "What one robot did with one version since its last report",
      [evidence](const Request& request) { return Report(evidence, request); }, "rollouts");
  report.request_schema = kReportSchema;
  report.response_schema = kCountedSchema;
  report.errors = {404, 409};
  router->Add(std::move(report));
}

}  // namespace saferl::services
