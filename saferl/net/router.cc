#include "saferl/net/router.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "saferl/base/text.h"

namespace saferl::net {
namespace {

constexpr size_t kMaxName = 255;

[[noreturn]] void Abort(const Route& route, std::string_view problem) {
  const std::string text = Cat(Name(route.method), " ", route.pattern, ": ", problem);
  std::fprintf(stderr, "%s\n", text.c_str());
  std::abort();
}

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '~' || c == '-';
         });
}

/// Takes the first segment off "/a/b".
std::string_view TakeSegment(std::string_view* path) {
  path->remove_prefix(1);
  const size_t end = std::min(path->find('/'), path->size());
  const std::string_view segment = path->substr(0, end);
  path->remove_prefix(end);
  return segment;
}

}  // namespace

struct Router::Node {
  std::vector<std::pair<std::string, std::unique_ptr<Node>>> literals;
  std::unique_ptr<Node> named;
  std::array<const Route*, static_cast<size_t>(Method::kCount)> routes{};

  bool HasRoute() const {
    return std::any_of(routes.begin(), routes.end(), [](const Route* r) { return r != nullptr; });
  }
  const Node* Literal(std::string_view segment) const {
    for (const auto& [text, node] : literals) {
      if (text == segment) return node.get();
    }
    return nullptr;
  }
  /// The node at the end of `path`, literals first; `values` are the segments of its names.
  const Node* Walk(std::string_view path, std::vector<std::string_view>* values) const {
    if (path.empty() || path == "/") return HasRoute() ? this : nullptr;
    const std::string_view segment = TakeSegment(&path);
    if (const Node* next = Literal(segment)) {
      if (const Node* found = next->Walk(path, values)) return found;
    }
    if (named == nullptr) return nullptr;
    values->push_back(segment);
    const Node* found = named->Walk(path, values);
    if (found == nullptr) values->pop_back();
    return found;
  }
  std::string Allow() const {
    std::string allow = "OPTIONS";
    if (routes[static_cast<size_t>(Method::kGet)] != nullptr) allow = "GET, HEAD, OPTIONS";
    for (const Route* route : routes) {
      if (route != nullptr && route->method != Method::kGet)
        allow += Cat(", ", Name(route->method));
    }
    return allow;
  }
  const Route* Find(Method method) const {
    if (method == Method::kCount) return nullptr;
    const Route* route = routes[static_cast<size_t>(method)];
    if (route == nullptr && method == Method::kHead) {
      route = routes[static_cast<size_t>(Method::kGet)];
      if (route != nullptr && !route->handler) return nullptr;  // a stream has no HEAD
    }
    return route;
  }
};

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;

void Router::Add(Route route) {
  if (!route.pattern.starts_with('/')) Abort(route, "a pattern starts with '/'");
  if (route.method >= Method::kCount) Abort(route, "a route needs a method");
  const int kinds = (route.handler ? 1 : 0) + (route.later ? 1 : 0) + (route.events ? 1 : 0) +
                    (route.websocket ? 1 : 0);
  if (kinds != 1) Abort(route, "a route has one of handler, later, events and websocket");
  if ((route.events || route.websocket) && route.method != Method::kGet)
    Abort(route, "streams are GET");
  if (route.later && route.run != Run::kInline) Abort(route, "later is for inline routes");
  if (route.operation_id.empty()) Abort(route, "operation_id is missing");
  for (const auto& other : routes_) {
    if (other->operation_id == route.operation_id) Abort(route, "its operation_id is taken");
  }
  Node* node = root_.get();
  for (std::string_view rest = route.pattern; !rest.empty() && rest != "/";) {
    const std::string_view segment = TakeSegment(&rest);
    if (segment.starts_with('{')) {
      if (node->named == nullptr) node->named = std::make_unique<Node>();
      node = node->named.get();
    } else if (const Node* next = node->Literal(segment)) {
      node = const_cast<Node*>(next);
    } else {
      node->literals.emplace_back(segment, std::make_unique<Node>());
      node = node->literals.back().second.get();
    }
  }
  const Route*& slot = node->routes[static_cast<size_t>(route.method)];
  if (slot != nullptr) Abort(route, Cat("the same as ", slot->pattern));
  routes_.push_back(std::make_unique<Route>(std::move(route)));
  slot = routes_.back().get();
}

void Router::SetErrorShape(std::string prefix, ErrorShape shape, std::string schema) {
  shapes_.push_back({std::move(prefix), std::move(shape), std::move(schema)});
}

const Router::Shape* Router::ShapeOf(std::string_view path) const {
  const Shape* best = nullptr;
  for (const Shape& shape : shapes_) {
    const size_t n = shape.prefix.size();
    const bool under = path.starts_with(shape.prefix) && (path.size() == n || path[n] == '/');
    if (under && (best == nullptr || n >= best->prefix.size())) best = &shape;
  }
  return best;
}

Response Router::Error(const Request& request, int status, std::string_view detail) const {
  const Shape* shape = ShapeOf(request.path);
  Response response = shape != nullptr ? shape->make(request, status, detail)
                                       : Problem(request, status, "", detail);
  if ((status == 429 || status == 503) && response.headers.Find("Retry-After") == nullptr) {
    response.headers.Add("Retry-After", "1");
  }
  return response;
}

Router::Match Router::Find(Request* request) const {
  Match match;
  request->params.clear();
  request->route = nullptr;
  thread_local std::vector<std::string_view> values;  // keeps its memory
  values.clear();
  const Node* node = root_->Walk(request->path, &values);
  if (node == nullptr) {
    match.status = 404;
    match.detail = Cat("no route ", request->path, "; GET /openapi.json lists the routes");
    return match;
  }
  const Route* route = node->Find(request->method);
  if (route == nullptr) {
    match.allow = node->Allow();
    match.status = request->method == Method::kOptions ? 204 : 405;
    match.detail = Cat("this path takes ", match.allow);
    return match;
  }
  size_t next = 0;
  for (std::string_view rest = route->pattern; !rest.empty() && rest != "/";) {
    const std::string_view segment = TakeSegment(&rest);
    if (!segment.starts_with('{')) continue;
    const std::string_view name = segment.substr(1, segment.size() - 2);
    const std::string_view value = values[next++];
    if (!IsName(value)) {
      match.status = 400;
      match.detail = Cat(name, ": '", value.substr(0, 64),
                         "' is not a name of 1 to 255 characters A-Z a-z 0-9 . _ ~ -; correct it");
      return match;
    }
    request->params.emplace_back(name, value);
  }
  match.route = request->route = route;
  return match;
}

}  // namespace saferl::net
