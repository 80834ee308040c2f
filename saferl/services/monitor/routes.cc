#include "saferl/services/monitor/routes.h"

#include "saferl/base/json.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

using net::Request;
using net::Response;

constexpr const char* kWhoAndWhy =
    R"({"type":"object","required":["operator","reason"],"additionalProperties":false,)"
    R"("properties":{"operator":{"type":"string","minLength":1,"maxLength":200},)"
    R"("reason":{"type":"string","minLength":1,"maxLength":2000}}})";

struct WhoAndWhy {
  std::string name, reason;
};

StatusOr<WhoAndWhy> Parse(const Request& request) {
  SAFERL_ASSIGN_OR_RETURN(const Node body, ParseJson(request.body, "body"));
  WhoAndWhy out;
  for (const auto& [key, to, most] : {std::tuple{"operator", &out.name, size_t{200}},
                                      std::tuple{"reason", &out.reason, size_t{2000}}}) {
    SAFERL_ASSIGN_OR_RETURN(const Node* node, body.Get(key));
    SAFERL_ASSIGN_OR_RETURN(*to, node->AsString());
    if (to->empty() || to->size() > most)
      return absl::InvalidArgumentError(Cat(key, ": has ", to->size(), " bytes; give 1 to ", most));
  }
  if (body.entries().size() != 2)
    return absl::InvalidArgumentError("body: give operator and reason and nothing else");
  return out;
}

constexpr const char* kReport =
    R"({"type":"object","required":["name","component","firing","summary"],)"
    R"("additionalProperties":false,"properties":{"name":{"enum":["BackupFailure",)"
    R"("SecurityAnomaly"]},"component":{"type":"string","minLength":1,"maxLength":100},)"
    R"("firing":{"type":"boolean"},"summary":{"type":"string","maxLength":2000}}})";

/// What a job knows and this process cannot see: a backup that failed, something odd at the door.
Status Report(const Request& request, Alerts* alerts) {
  SAFERL_ASSIGN_OR_RETURN(const Node body, ParseJson(request.body, "body"));
  std::string texts[3];
  constexpr std::pair<const char*, size_t> kTexts[] = {
      {"name", 100}, {"component", 100}, {"summary", 2000}};
  for (size_t i = 0; i < 3; ++i) {
    SAFERL_ASSIGN_OR_RETURN(const Node* node, body.Get(kTexts[i].first));
    SAFERL_ASSIGN_OR_RETURN(texts[i], node->AsString());
    if (texts[i].empty() || texts[i].size() > kTexts[i].second)
      return absl::InvalidArgumentError(
          Cat(kTexts[i].first, ": has ", texts[i].size(), " bytes; give 1 to ", kTexts[i].second));
  }
  SAFERL_ASSIGN_OR_RETURN(const Node* node, body.Get("firing"));
  SAFERL_ASSIGN_OR_RETURN(const bool firing, node->AsBool());
  if (body.entries().size() != 4)
    return absl::InvalidArgumentError("body: give name, component, firing, summary, nothing else");
  for (const AlertName name : {AlertName::kBackupFailure, AlertName::kSecurityAnomaly}) {
    if (texts[0] != Name(name)) continue;
    const AlertLabels labels = {{"component", texts[1]}};
    if (firing) {
      alerts->Raise(name, labels, texts[2]);
    } else {
      alerts->Resolve(name, labels);
    }
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "name: not BackupFailure or SecurityAnomaly; this service raises the others by itself");
}

Response Answer(const Request& request, const Status& status, const Monitor& monitor) {
  if (!status.ok()) return net::Problem(request, status);
  return Response::Json(StatusJson(monitor.state(), monitor.journal()));
}

std::string AlertsJson(const std::vector<Alert>& alerts) {
  JsonWriter w;
  w.BeginObject().Key("alerts").BeginArray();
  for (const Alert& alert : alerts) {
    w.BeginObject().Field("name", Name(alert.name));
    w.Field("severity", telemetry::Name(SeverityOf(alert.name)));
    w.Field("status", alert.ends_wall_ns == 0 ? "firing" : "resolved");
    w.Field("summary", alert.summary).Field("count", alert.count);
    w.Field("starts_at", TimeText(alert.starts_wall_ns));
    if (alert.ends_wall_ns != 0) w.Field("ends_at", TimeText(alert.ends_wall_ns));
    w.Key("labels").BeginObject();
    for (const auto& [key, value] : alert.labels) w.Field(key, value);
    w.EndObject().EndObject();
  }
  return w.EndArray().EndObject().Take();
}

void Add(net::Router* router, net::Method method, std::string pattern, std::string id,
         std::string summary, net::Handler handler, std::string schema = "") {
  net::Route route;
  route.method = method;
  route.pattern = std::move(pattern);
  route.operation_id = std::move(id);
  route.summary = std::move(summary);
  route.tag = "safety monitor";
  route.run = method == net::Method::kPost ? net::Run::kPool : net::Run::kInline;
  route.handler = std::move(handler);
  route.request_schema = std::move(schema);
  if (method == net::Method::kPost) route.errors = {400, 409, 412, 503};
  route.max_body_bytes = 16 << 10;
  router->Add(std::move(route));
}

}  // namespace

std::string StatusJson(const MonitorState& state, const Journal::State& journal) {
  JsonWriter w;
  w.BeginObject().Field("robot", state.robot).Field("attached", state.attached);
  w.Field("silent", state.silent).Field("settled", state.settled);
  w.Field("granting", state.granting).Field("latched", state.latched);
  if (!state.latched && state.attached && !state.granting) w.Field("withheld", state.withheld);
  if (state.latched) {
    w.Key("why").Raw(state.why);
    w.Field("latched_at", TimeText(state.latched_wall_ns));
  }
  w.Field("judged", state.judged).Field("lost", state.lost);
  w.Field("worst_margin", state.worst_margin);
  w.Key("journal").BeginObject().Field("sequence", journal.sequence).Field("hash", journal.hash);
  w.Field("waiting", journal.waiting).Field("dropped", journal.dropped);
  w.Field("written", journal.status.ok()).EndObject();
  return w.EndObject().Take();
}

Status MonitorHealth(const Monitor& monitor) {
  const Journal::State journal = monitor.journal();
  if (!journal.status.ok()) return journal.status;
  if (monitor.state().silent)
    return absl::UnavailableError("no decision comes from the robot; is saferl_rt running?");
  return absl::OkStatus();
}

void AddMonitorRoutes(Monitor* monitor, net::Router* router) {
  Add(router, net::Method::kGet, "/status", "monitorStatus",
      "What the safety monitor sees, and whether the robot may move",
      [monitor](const Request& request) { return Answer(request, {}, *monitor); });
  Add(router, net::Method::kGet, "/alerts", "monitorAlerts", "Alerts that are on, and past ones",
      [monitor](const Request&) { return Response::Json(AlertsJson(monitor->alerts().List())); });
  Add(
      router, net::Method::kPost, "/alerts", "reportAlert",
      "A job says that a backup failed or something is odd, or that it is over",
      [monitor](const Request& request) {
        const Status reported = Report(request, &monitor->alerts());
        if (!reported.ok()) return net::Problem(request, reported);
        return Response::Json(AlertsJson(monitor->alerts().List()));
      },
      kReport);
  Add(
      router, net::Method::kPost, "/latch", "orderStop", "Stop the robot until it is cleared",
      [monitor](const Request& request) {
        const StatusOr<WhoAndWhy> body = Parse(request);
        if (!body.ok()) return net::Problem(request, body.status());
        return Answer(request, monitor->OrderStop(body->name, body->reason), *monitor);
      },
      kWhoAndWhy);
  Add(
      router, net::Method::kPost, "/latch/clear", "clearLatch",
      "Let the robot move again: who says so, and why",
      [monitor](const Request& request) {
        const StatusOr<WhoAndWhy> body = Parse(request);
        if (!body.ok()) return net::Problem(request, body.status());
        return Answer(request, monitor->Clear(body->name, body->reason), *monitor);
      },
      kWhoAndWhy);
  net::Route stream;
  stream.pattern = "/decisions/stream";
  stream.operation_id = "decisionStream";
  stream.summary = "WebSocket: the robot as JSON, then each decision in binary";
  stream.tag = "safety monitor";
  stream.websocket = [monitor](std::shared_ptr<net::Stream> peer, const Request&) {
    monitor->hub().Add(std::move(peer));
  };
  router->Add(std::move(stream));
}

}  // namespace saferl::services
