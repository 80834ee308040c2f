#include "saferl/services/api/configuration_route.h"

#include <algorithm>

#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/services/api/api_route.h"
#include "saferl/services/api/etag.h"
#include "saferl/services/api/pagination.h"

namespace saferl::services {
namespace {

using net::Request;
using net::Response;

constexpr std::string_view kSchema =
    R"({"type":"object","required":["fields"],"properties":{"fields":{"type":"array","items":)"
    R"({"type":"object","properties":{"field":{"type":"string"},"value":{"type":"string"},)"
    R"("default":{"type":"string"},"from":{"type":"string"},"unit":{"type":"string"},)"
    R"("doc":{"type":"string"}}}}}})";

std::vector<net::FieldSpec> Fields() {
  return {{.name = "field", .type = "string", .doc = "fields that start so, as database."}};
}

struct Line {
  std::string field, json;
};

std::vector<Line> Lines(const ServiceConfig& config) {
  const std::vector<config::FieldDoc> now = ExplainServiceConfig(config);
  const std::vector<config::FieldDoc> defaults = ExplainServiceConfig();
  std::vector<Line> lines;
  for (size_t i = 0; i < std::min(now.size(), defaults.size()); ++i) {
    if (now[i].type == "map") continue;
    const auto origin = config.origins.find(now[i].path);
    JsonWriter w;
    w.BeginObject().Field("field", now[i].path);
    w.Field("value", HideUrlSecrets(now[i].default_value));
    w.Field("default", defaults[i].default_value);
    w.Field("from", origin == config.origins.end() ? std::string("default") : origin->second);
    w.Field("unit", now[i].unit).Field("doc", now[i].doc).EndObject();
    lines.push_back({now[i].path, w.Take()});
  }
  return lines;
}

}  // namespace

std::string HideUrlSecrets(const std::string& text) {
  const size_t scheme = text.find("://");
  if (scheme == std::string::npos) return text;
  std::string out = text.substr(0, std::min(text.find('?'), text.size()));
  if (out.size() < text.size()) out += "?***";
  const size_t host = scheme + 3;
  const size_t at = out.rfind('@', std::min(out.find('/', host), out.size()));
  if (at != std::string::npos && at >= host) out.replace(host, at - host, "***");
  if (text.back() == '"' && out.back() != '"') out += '"';
  return out;
}

void AddConfigurationRoute(const ServiceConfig& config, net::Router* router) {
  net::Route route = ApiRoute(
      net::Method::kGet, "/api/v1/configuration", "getConfiguration",
      "Every field in effect, and where its value came from",
      [lines = Lines(config)](const Request& request) {
        if (const Status known = CheckQuery(request); !known.ok()) return Problem(request, known);
        const std::string* prefix = request.Query("field");
        JsonWriter w;
        w.BeginObject().Key("fields").BeginArray();
        for (const Line& line : lines)
          if (prefix == nullptr || line.field.starts_with(*prefix)) w.Raw(line.json);
        return WithETag(request, Response::Json(w.EndArray().EndObject().Take()));
      },
      "configuration");
  route.query = Fields();
  route.response_schema = kSchema;
  ListsETag(&route);
  router->Add(std::move(route));
}

}  // namespace saferl::services
