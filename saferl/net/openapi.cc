// The OpenAPI 3.1 document and its page.
#include <map>
#include <set>

#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/net/docs_page.h"
#include "saferl/net/router.h"

namespace saferl::net {
namespace {

std::string LowerName(Method method) {
  std::string name(Name(method));
  for (char& c : name) c = static_cast<char>(c + 32);
  return name;
}

std::vector<std::string> PathNames(std::string_view pattern) {
  std::vector<std::string> names;
  for (size_t open = pattern.find('{'); open != std::string_view::npos;
       open = pattern.find('{', open + 1)) {
    names.emplace_back(pattern.substr(open + 1, pattern.find('}', open) - open - 1));
  }
  return names;
}

void Parameter(const FieldSpec& field, std::string_view in, JsonWriter* json) {
  json->BeginObject().Field("name", field.name).Field("in", in).Field("required", field.required);
  if (!field.doc.empty()) json->Field("description", field.doc);
  json->Key("schema").BeginObject().Field("type", field.type);
  if (in == "path") json->Field("pattern", "^[A-Za-z0-9._~-]{1,255}$");
  json->EndObject().EndObject();
}

void Content(std::string_view media_type, const std::string& schema, JsonWriter* json) {
  json->Key("content").BeginObject().Key(media_type).BeginObject();
  json->Key("schema");
  if (schema.empty()) {
    json->BeginObject().EndObject();
  } else {
    json->Raw(schema);
  }
  json->EndObject().EndObject();
}

void Responses(const Route& route, bool own_error_shape, JsonWriter* json) {
  json->Key("responses").BeginObject();
  const int success = route.websocket ? 101 : 200;
  json->Key(std::to_string(success)).BeginObject().Field("description", Reason(success));
  if (route.events) {
    Content("text/event-stream", R"({"type":"string"})", json);
  } else if (!route.websocket && !route.response_schema.empty()) {
    Content("application/json", route.response_schema, json);
  }
  json->EndObject();
  std::set<int> errors(route.errors.begin(), route.errors.end());
  errors.insert({400, 500});
  if (route.method == Method::kPost || route.method == Method::kPut ||
      route.method == Method::kPatch) {
    errors.insert({413, 415});
  }
  if (route.run != Run::kInline) errors.insert({503, 504});
  if (route.websocket) errors.insert({403, 426});
  for (const int status : errors) {
    json->Key(std::to_string(status)).BeginObject().Field("description", Reason(status));
    if (own_error_shape) {
      Content("application/json", R"({"type":"object"})", json);
    } else {
      Content("application/problem+json", R"({"$ref":"#/components/schemas/Problem"})", json);
    }
    json->EndObject();
  }
  json->EndObject();
}

void Operation(const Route& route, bool own_error_shape, JsonWriter* json) {
  json->BeginObject().Field("operationId", route.operation_id).Field("summary", route.summary);
  if (!route.tag.empty()) json->Key("tags").Value(std::vector<std::string>{route.tag});
  if (route.websocket) json->Field("x-websocket", true);
  json->Key("parameters").BeginArray();
  for (const std::string& name : PathNames(route.pattern)) {
    Parameter({.name = name, .type = "string", .doc = "", .required = true}, "path", json);
  }
  for (const FieldSpec& field : route.query) Parameter(field, "query", json);
  json->EndArray();
  if (!route.request_schema.empty()) {
    json->Key("requestBody").BeginObject().Field("required", true);
    json->Field("description", Cat("at most ", route.max_body_bytes, " bytes"));
    Content("application/json", route.request_schema, json);
    json->EndObject();
  }
  Responses(route, own_error_shape, json);
  json->EndObject();
}

constexpr std::string_view kProblemSchema =
    R"({"type":"object","description":"RFC 9457","required":["type","title","status"],)"
    R"("properties":{"type":{"type":"string"},"title":{"type":"string"},)"
    R"("status":{"type":"integer"},"detail":{"type":"string"},)"
    R"("instance":{"type":"string","description":"the request id"}}})";

}  // namespace

std::string OpenApi(const Router& router, std::string_view title, std::string_view version) {
  std::map<std::string, std::map<Method, const Route*>> paths;
  for (const auto& route : router.routes()) paths[route->pattern][route->method] = route.get();
  JsonWriter json;
  json.BeginObject().Field("openapi", "3.1.0");
  json.Key("info").BeginObject().Field("title", title).Field("version", version).EndObject();
  json.Key("paths").BeginObject();
  for (const auto& [pattern, methods] : paths) {
    json.Key(pattern).BeginObject();
    for (const auto& [method, route] : methods) {
      json.Key(LowerName(method));
      Operation(*route, router.HasErrorShape(pattern), &json);
    }
    json.EndObject();
  }
  json.EndObject();
  json.Key("components").BeginObject().Key("schemas").BeginObject();
  json.Key("Problem").Raw(kProblemSchema);
  json.EndObject().EndObject();
  return json.EndObject().Take();
}

void AddDocs(Router* router, std::string title, std::string version) {
  Route document;
  document.pattern = "/openapi.json";
  document.operation_id = "openapi";
  document.summary = "This document";
  document.tag = "documentation";
  document.run = Run::kPool;
  document.response_schema = R"({"type":"object"})";
  document.handler = [router, title, version](const Request&) {
    return Response::Json(OpenApi(*router, title, version));
  };
  router->Add(std::move(document));
  Route page;
  page.pattern = "/docs";
  page.operation_id = "docs";
  page.summary = "A page that shows this document";
  page.tag = "documentation";
  page.handler = [](const Request&) {
    Response response = Response::Text(std::string(DocsPage()));
    response.content_type = "text/html; charset=utf-8";
    response.headers.Add(
        "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; script-src "
        "'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'");
    response.headers.Add("X-Content-Type-Options", "nosniff");
    return response;
  };
  router->Add(std::move(page));
}

}  // namespace saferl::net
