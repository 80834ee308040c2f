#pragma once
// Router: the list of routes is the whole interface of a service. Dispatch, the OpenAPI document,
// the page at /docs and the tests of "every route x every method" read the same list.
//
// Patterns: "/v2/models/{model}/versions/{version}/infer"; a {name} matches one segment of
// [A-Za-z0-9._~-]{1,255} after decoding (else 400); literals win over names. A path that exists
// with another method is 405 with Allow; an unknown one is 404. HEAD is served by GET's handler
// without the body, OPTIONS by the server.
// RT: no. Errors: duplicate routes or operation ids abort at start (a programmer's error).

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/net/http.h"

namespace saferl::net {

/// Where a handler runs: on the connection's own thread (short, never blocks: inference, health),
/// on the pool (database, objects, files), or on threads of its own that nothing else can fill
/// (decisions for robots).
enum class Run : uint8_t { kInline, kPool, kControl };

using Handler = std::function<Response(const Request&)>;

/// How a handler on the connection's thread answers later, when the work is done elsewhere.
class Later {
 public:
  virtual ~Later() = default;
  /// A function to be called once, from any thread. Until then, or until the request's deadline
  /// (504), the connection waits.
  virtual std::function<void(Response)> Take() = 0;
};
/// The answer, or nothing after Take. The request is valid during the call only.
using LaterHandler = std::function<std::optional<Response>(const Request&, Later*)>;

/// A stream of server-sent events or WebSocket messages: see http_server.h.
class Stream;
using StreamHandler = std::function<void(std::shared_ptr<Stream>, const Request&)>;

struct FieldSpec {
  std::string name{}, type{},
      doc{};  ///< type: string, integer, number, boolean, array (of strings)
  bool required = false;
};
inline constexpr const char* kJsonType = "application/json";
inline constexpr const char* kBytesType = "application/octet-stream";

struct Route {
  Method method = Method::kGet;
  std::string pattern;
  std::string operation_id, summary, tag;
  Run run = Run::kInline;
  Handler handler;
  LaterHandler later;                           ///< instead of `handler`; kInline
  StreamHandler events, websocket;              ///< instead of `handler`
  std::vector<FieldSpec> query, headers;        ///< all that the handler reads: Request::Query
  std::string request_schema, response_schema;  ///< JSON schema texts; empty = none
  std::string response_type = kJsonType;
  /// Of the body; `request_schema` is that of JSON. Empty: a POST, PUT or PATCH that takes no body.
  std::vector<std::string> request_types = {kJsonType};
  bool body_required = true;
  bool TakesBody() const {
    return !request_types.empty() && (!request_schema.empty() || request_types[0] != kJsonType);
  }
  std::vector<int> success = {200};
  std::vector<FieldSpec> answer_headers;  ///< of a success
  std::vector<int> errors;                ///< statuses beyond the usual
  size_t max_body_bytes = 1 << 20;        ///< also of one WebSocket message
};

class Router {
 public:
  Router();
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  void Add(Route route);
  /// Errors under a path prefix ("/v2", "/api/2.0/mlflow") take this shape instead of RFC 9457.
  using ErrorShape = std::function<Response(const Request&, int status, std::string_view detail)>;
  /// `schema`: of their JSON, for the document.
  void SetErrorShape(std::string prefix, ErrorShape shape,
                     std::string schema = R"({"type":"object"})");
  /// In the shape of the longest prefix of request.path; RFC 9457 where none is set.
  Response Error(const Request& request, int status, std::string_view detail) const;
  /// Of the errors under a path; null: RFC 9457.
  const std::string* ErrorSchema(std::string_view path) const {
    const Shape* shape = ShapeOf(path);
    return shape == nullptr ? nullptr : &shape->schema;
  }

  struct Match {
    const Route* route = nullptr;
    int status = 200;    ///< 400, 404 or 405 when there is no route; 204 for OPTIONS
    std::string detail;  ///< what is wrong and what to do, for 400, 404 and 405
    std::string allow;   ///< for 405 and OPTIONS
  };
  /// Fills request->params and request->route.
  Match Find(Request* request) const;
  const std::vector<std::unique_ptr<Route>>& routes() const { return routes_; }

 private:
  struct Node;
  struct Shape {
    std::string prefix;
    ErrorShape make;
    std::string schema;
  };
  const Shape* ShapeOf(std::string_view path) const;

  std::vector<std::unique_ptr<Route>> routes_;
  std::vector<Shape> shapes_;
  std::unique_ptr<Node> root_;
};

/// OpenAPI 3.1 document of the routes.
std::string OpenApi(const Router& router, std::string_view title, std::string_view version);

/// Adds GET /openapi.json (the document of every route, these two among them) and GET /docs (a page
/// that shows it, complete in itself). `router` must outlive what it serves and not change then.
void AddDocs(Router* router, const std::string& title, const std::string& version);

}  // namespace saferl::net
