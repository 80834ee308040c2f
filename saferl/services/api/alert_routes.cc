#include "saferl/services/api/alert_routes.h"

#include <algorithm>

#include "saferl/base/hash.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/services/api/api_route.h"
#include "saferl/services/api/etag.h"
#include "saferl/services/api/pagination.h"

namespace saferl::services {
namespace {

using net::Request;
using net::Response;

constexpr const char* kNoMonitor =
    "this process runs no safety monitor; ask the process that does: GET /alerts on its port";
constexpr std::string_view kItemSchema =
    R"({"type":"object","properties":{"id":{"type":"string"},"name":{"type":"string"},)"
    R"("severity":{"type":"string"},"status":{"enum":["firing","resolved"]},)"
    R"("summary":{"type":"string"},"count":{"type":"integer"},"starts_at_ns":{"type":"integer"},)"
    R"("ends_at_ns":{"type":["integer","null"]},"labels":{"type":"object",)"
    R"("additionalProperties":{"type":"string"}}}})";

std::vector<net::FieldSpec> ListFields() {
  std::vector<net::FieldSpec> fields = PageFields();
  fields.push_back({.name = "status", .type = "string", .doc = "firing or resolved"});
  fields.push_back({.name = "severity", .type = "string", .doc = "critical or warning"});
  fields.push_back({.name = "name", .type = "string", .doc = "SafetyConstraintViolation, ..."});
  return fields;
}

std::string_view StatusOf(const Alert& alert) {
  return alert.ends_wall_ns == 0 ? "firing" : "resolved";
}

/// The same alert raised again after its end is another one.
std::string IdOf(const Alert& alert) {
  std::string text = Cat(Name(alert.name), "\n", alert.starts_wall_ns);
  for (const auto& [key, value] : alert.labels) text += Cat("\n", key, "=", value);
  return Sha256Hex(text).substr(0, 16);
}

std::string ItemJson(const Alert& alert) {
  JsonWriter w;
  w.BeginObject().Field("id", IdOf(alert)).Field("name", Name(alert.name));
  w.Field("severity", telemetry::Name(SeverityOf(alert.name)));
  w.Field("status", StatusOf(alert)).Field("summary", alert.summary).Field("count", alert.count);
  w.Field("starts_at_ns", alert.starts_wall_ns).Key("ends_at_ns");
  if (alert.ends_wall_ns == 0) {
    w.Null();
  } else {
    w.Value(alert.ends_wall_ns);
  }
  w.Key("labels").BeginObject();
  for (const auto& [key, value] : alert.labels) w.Field(key, value);
  return w.EndObject().EndObject().Take();
}

/// A filter that is one of a few words.
Status OneOf(const Request& request, const char* field, const std::vector<std::string>& words) {
  const std::string* text = request.Query(field);
  if (text == nullptr || std::find(words.begin(), words.end(), *text) != words.end())
    return absl::OkStatus();
  return absl::InvalidArgumentError(
      Cat(field, ": '", text->substr(0, 64), "' is not one of ", Join(words, ", ")));
}

Status CheckFilters(const Request& request) {
  SAFERL_RETURN_IF_ERROR(CheckQuery(request));
  SAFERL_RETURN_IF_ERROR(OneOf(request, "status", {"firing", "resolved"}));
  std::vector<std::string> names, severities;
  for (int i = 0; i < static_cast<int>(AlertName::kCount); ++i) {
    const auto name = static_cast<AlertName>(i);
    names.emplace_back(Name(name));
    const std::string severity(telemetry::Name(SeverityOf(name)));
    if (std::find(severities.begin(), severities.end(), severity) == severities.end())
      severities.push_back(severity);
  }
  SAFERL_RETURN_IF_ERROR(OneOf(request, "severity", severities));
  return OneOf(request, "name", names);
}

bool Chosen(const Request& request, const Alert& alert) {
  const auto is = [&request](const char* field, std::string_view value) {
    const std::string* wanted = request.Query(field);
    return wanted == nullptr || *wanted == value;
  };
  return is("status", StatusOf(alert)) && is("name", Name(alert.name)) &&
         is("severity", telemetry::Name(SeverityOf(alert.name)));
}

/// Newest first; the id makes the order of equal times the same on every page.
std::vector<std::pair<int64_t, std::string>> Keys(const std::vector<Alert>& alerts) {
  std::vector<std::pair<int64_t, std::string>> keys;
  for (const Alert& alert : alerts) keys.emplace_back(alert.starts_wall_ns, IdOf(alert));
  return keys;
}

Response List(const Alerts* source, const Request& request) {
  if (const Status good = CheckFilters(request); !good.ok()) return Problem(request, good);
  const StatusOr<Page> page = ReadPage(request, 2);
  if (!page.ok()) return Problem(request, page.status());
  const auto cursor = AfterTime(*page);
  if (!cursor.ok()) return Problem(request, cursor.status());
  const auto after = cursor->value_or(std::pair(INT64_MAX, std::string()));
  const std::vector<Alert> alerts = source == nullptr ? std::vector<Alert>() : source->List();
  const auto keys = Keys(alerts);
  std::vector<size_t> order;
  for (size_t i = 0; i < alerts.size(); ++i)
    if (Chosen(request, alerts[i]) && keys[i] < after) order.push_back(i);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return keys[a] > keys[b]; });
  const size_t n = std::min(order.size(), static_cast<size_t>(page->limit));
  JsonWriter w;
  w.BeginObject().Key("items").BeginArray();
  for (size_t i = 0; i < n; ++i) w.Raw(ItemJson(alerts[order[i]]));
  w.EndArray().Key("next_cursor");
  if (order.size() > n) {
    const auto& [at, id] = keys[order[n - 1]];
    w.Value(MakeCursor({Cat(at), id}));
  } else {
    w.Null();
  }
  w.Key("monitor").BeginObject().Field("running", source != nullptr);
  if (source == nullptr) w.Field("reason", kNoMonitor);
  return Response::Json(w.EndObject().EndObject().Take());
}

Response Get(const Alerts* source, const Request& request) {
  if (source != nullptr) {
    for (const Alert& alert : source->List())
      if (IdOf(alert) == request.Param("id"))
        return WithETag(request, Response::Json(ItemJson(alert)));
  }
  return Problem(request, 404, "",
                 source == nullptr ? Cat("id: ", kNoMonitor)
                                   : "id: no such alert; the latest that are over are kept");
}

}  // namespace

void AddAlertRoutes(const Alerts* alerts, net::Router* router) {
  net::Route list = ApiRoute(
      net::Method::kGet, "/api/v1/alerts", "listAlerts", "Alerts that are on, and past ones",
      [alerts](const Request& request) { return List(alerts, request); }, "alerts");
  list.query = ListFields();
  list.response_schema =
      Cat(R"({"type":"object","required":["items","next_cursor","monitor"],"properties":{)",
          R"("items":{"type":"array","items":)", kItemSchema,
          R"(},"next_cursor":{"type":["string","null"]},"monitor":{"type":"object",)",
          R"("properties":{"running":{"type":"boolean"},"reason":{"type":"string"}}}}})");
  router->Add(std::move(list));
  net::Route get = ApiRoute(
      net::Method::kGet, "/api/v1/alerts/{id}", "getAlert", "An alert",
      [alerts](const Request& request) { return Get(alerts, request); }, "alerts");
  get.errors = {404};
  ListsETag(&get);
  get.response_schema = kItemSchema;
  router->Add(std::move(get));
}

}  // namespace saferl::services
