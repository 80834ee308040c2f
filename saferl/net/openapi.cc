// The OpenAPI 3.1 document and its page.
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/net/docs_page.h"
#include "saferl/net/router.h"

namespace saferl::net {
namespace {

constexpr const char* kStringSchema = R"({"type":"string"})";  // of what is no JSON

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

void Schema(const FieldSpec& field, std::string_view pattern, JsonWriter* json) {
  json->Key("schema").BeginObject().Field("type", field.type);
  if (!pattern.empty()) json->Field("pattern", pattern);
  if (field.type == "array") {
    json->Key("items").BeginObject().Field("type", "string").EndObject();
  }
  json->EndObject();
}

void Parameter(const FieldSpec& field, std::string_view in, JsonWriter* json) {
  json->BeginObject().Field("name", field.name).Field("in", in).Field("required", field.required);
  if (!field.doc.empty()) json->Field("description", field.doc);
  Schema(field, in == "path" ? "^[A-Za-z0-9._~-]{1,255}$" : "", json);
  json->EndObject();
}

void AnswerHeaders(const std::vector<FieldSpec>& headers, JsonWriter* json) {
  if (headers.empty()) return;
  json->Key("headers").BeginObject();
  for (const FieldSpec& header : headers) {
    json->Key(header.name).BeginObject().Field("description", header.doc);
    Schema(header, "", json);
    json->EndObject();
  }
  json->EndObject();
}

void Media(std::string_view media_type, std::string_view schema, JsonWriter* json) {
  json->Key(media_type).BeginObject().Key("schema");
  if (schema.empty()) {
    json->BeginObject().EndObject();
  } else {
    json->Raw(schema);
  }
  json->EndObject();
}

void Content(std::string_view media_type, std::string_view schema, JsonWriter* json) {
  json->Key("content").BeginObject();
  Media(media_type, schema, json);
  json->EndObject();
}

/// What the server answers on its own, or through a store that is away or slow.
std::set<int> ErrorsOf(const Route& route) {
  std::set<int> errors(route.errors.begin(), route.errors.end());
  errors.insert({400, 500});
  if (route.TakesBody()) errors.insert({413, 415});
  if (route.run != Run::kInline) errors.insert({503, 504});
  if (route.websocket) errors.insert({403, 426});
  return errors;
}

void Successes(const Route& route, JsonWriter* json) {
  for (const int status : route.websocket ? std::vector<int>{101} : route.success) {
    json->Key(std::to_string(status)).BeginObject().Field("description", Reason(status));
    AnswerHeaders(route.answer_headers, json);
    if (route.events) {
      Content("text/event-stream", kStringSchema, json);
    } else if (!route.websocket && status < 204 &&
               (!route.response_schema.empty() || route.response_type != kJsonType)) {
      Content(route.response_type,
              route.response_schema.empty() ? kStringSchema : route.response_schema, json);
    }
    json->EndObject();
  }
}

/// `error_schema`: of errors that are not RFC 9457; else null.
void Responses(const Route& route, const std::string* error_schema, JsonWriter* json) {
  static const std::vector<FieldSpec> kRetryAfter = {
      {.name = "Retry-After", .type = "integer", .doc = "seconds after which to ask again"}};
  json->Key("responses").BeginObject();
  Successes(route, json);
  for (const int status : ErrorsOf(route)) {
    json->Key(std::to_string(status)).BeginObject().Field("description", Reason(status));
    if (status == 429 || status == 503) AnswerHeaders(kRetryAfter, json);
    if (status == 304) {
      AnswerHeaders(route.answer_headers, json);
    } else if (error_schema != nullptr) {
      Content(kJsonType, *error_schema, json);
    } else {
      Content("application/problem+json", R"({"$ref":"#/components/schemas/Problem"})", json);
    }
    json->EndObject();
  }
  json->EndObject();
}

void Body(const Route& route, JsonWriter* json) {
  if (!route.TakesBody()) return;
  json->Key("requestBody").BeginObject().Field("required", route.body_required);
  json->Field("description", Cat("at most ", route.max_body_bytes, " bytes"));
  json->Key("content").BeginObject();
  for (const std::string& type : route.request_types) {
    Media(type, type == kJsonType ? route.request_schema : kStringSchema, json);
  }
  json->EndObject().EndObject();
}

void Operation(const Route& route, const std::string* error_schema, JsonWriter* json) {
  json->BeginObject().Field("operationId", route.operation_id).Field("summary", route.summary);
  if (!route.tag.empty()) json->Key("tags").Value(std::vector<std::string>{route.tag});
  if (route.websocket) json->Field("x-websocket", true);
  json->Key("parameters").BeginArray();
  for (const std::string& name : PathNames(route.pattern)) {
    Parameter({.name = name, .type = "string", .doc = "", .required = true}, "path", json);
  }
  for (const FieldSpec& field : route.query) Parameter(field, "query", json);
  for (const FieldSpec& field : route.headers) Parameter(field, "header", json);
  json->EndArray();
  Body(route, json);
  Responses(route, error_schema, json);
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
      Operation(*route, router.ErrorSchema(pattern), &json);
    }
    json.EndObject();
  }
  json.EndObject();
  json.Key("components").BeginObject().Key("schemas").BeginObject();
  json.Key("Problem").Raw(kProblemSchema);
  json.EndObject().EndObject();
  return json.EndObject().Take();
}

void AddDocs(Router* router, const std::string& title, const std::string& version) {
  Route document;
  document.pattern = "/openapi.json";
  document.operation_id = "openapi";
  document.summary = "This document";
  document.tag = "documentation";
  document.run = Run::kPool;
  document.response_schema = R"({"type":"object"})";
  struct Made {
    std::once_flag once;
    std::string text;
  };
  // Made once: whoever asks again and again costs the copy only.
  document.handler = [router, title, version, made = std::make_shared<Made>()](const Request&) {
    std::call_once(made->once, [&] { made->text = OpenApi(*router, title, version); });
    return Response::Json(made->text);
  };
  router->Add(std::move(document));
  Route page;
  page.pattern = "/docs";
  page.operation_id = "docs";
  page.summary = "A page that shows this document";
  page.tag = "documentation";
  page.response_type = "text/html";
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
