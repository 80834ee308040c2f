#include "saferl/net/dispatcher.h"

#include <charconv>
#include <ctime>
#include <exception>

#include "saferl/base/clock.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/net/compression.h"
#include "saferl/net/http_server.h"
#include "saferl/net/target.h"
#include "saferl/net/trace_context.h"

namespace saferl::net {
namespace {

/// "Date: Wed, 25 Nov 2026 08:00:00 GMT\r\n", made once a second.
std::string_view DateLine() {
  thread_local std::time_t made = 0;
  thread_local char line[64];
  thread_local size_t size = 0;
  const std::time_t now = std::time(nullptr);
  if (now != made) {
    std::tm utc{};
    gmtime_r(&now, &utc);
    size = std::strftime(line, sizeof line, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    made = now;
  }
  return {line, size};
}

void AppendNumber(uint64_t number, std::string* out) {
  char digits[24];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
  out->append(digits, end);
}

/// A field; what would end its line early is left out.
void AppendField(std::string_view name, std::string_view value, std::string* out) {
  *out += name;
  *out += ": ";
  if (value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos) {
    *out += value;
  } else {
    for (const char c : value) {
      if (c != '\r' && c != '\n' && c != '\0') *out += c;
    }
  }
  *out += "\r\n";
}

void AppendStatusLine(int status, std::string* out) {
  *out += "HTTP/1.1 ";
  AppendNumber(static_cast<uint64_t>(status), out);
  *out += ' ';
  *out += Reason(status);
  *out += "\r\n";
}

void AppendIdentity(const Request& request, std::string* out) {
  if (!request.request_id.empty()) AppendField("X-Request-Id", request.request_id, out);
  if (!request.parent_span_id.empty()) AppendField("traceresponse", Traceparent(request), out);
}

bool Compressible(std::string_view type) {
  return type.starts_with("text/") || type.starts_with("application/json") ||
         type.starts_with("application/problem+json") || type.starts_with("application/xml") ||
         type.starts_with("application/javascript") || type.starts_with("application/openmetrics");
}

/// Runs a handler's code. False: it threw, which is logged.
template <class Work>
bool Guarded(const Route& route, const Request& request, Work work) {
  std::string what;
  try {
    work();
    return true;
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
    what = "not a std::exception";
  }
  Log(LogLevel::kError, "a handler threw",
      {{"operation", route.operation_id}, {"request", request.request_id}, {"error", what}});
  return false;
}

}  // namespace

void Dispatcher::Begin(Request* request) {
  request->method = Method::kCount;
  request->path.clear();
  request->query.clear();
  request->params.clear();
  request->route = nullptr;
  request->body.clear();
  request->headers.Clear();
  SetIdentity(request);
}

std::optional<Response> Dispatcher::Head(RequestHead* head, Request* request,
                                         const Route** route) const {
  *route = nullptr;
  request->method = ParseMethod(head->method);
  std::swap(request->headers, head->fields);  // both keep their memory for the next one
  request->path.clear();
  request->query.clear();
  request->params.clear();
  request->route = nullptr;
  request->body.clear();
  SetIdentity(request);
  if (head->target == "*" && request->method == Method::kOptions) {
    Response response = Response::Json("", 204);
    response.headers.Add("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    return response;
  }
  StatusOr<Target> target = ParseTarget(head->target);
  if (!target.ok()) return Error(*request, 400, std::string(target.status().message()));
  request->path = std::move(target->path);
  request->query = std::move(target->query);
  Router::Match match = router_.Find(request);
  if (match.route == nullptr) {
    Response response =
        match.status == 204 ? Response::Json("", 204) : Error(*request, match.status, match.detail);
    if (!match.allow.empty()) response.headers.Set("Allow", match.allow);
    return response;
  }
  *route = match.route;
  const std::string* expect = request->headers.Find("Expect");
  if (expect != nullptr && !EqualIgnoringCase(*expect, "100-continue")) {
    return Error(*request, 417, "Expect: only 100-continue is known; leave it out");
  }
  if (head->content_length.value_or(0) > match.route->max_body_bytes) {
    return Error(*request, 413,
                 Cat("the body has ", *head->content_length, " bytes, the limit of this route is ",
                     match.route->max_body_bytes, "; send less"));
  }
  return std::nullopt;
}

std::optional<Response> Dispatcher::Body(const Route& route, std::string* body,
                                         Request* request) const {
  const std::string* encoding = request->headers.Find("Content-Encoding");
  if (encoding == nullptr) {
    request->body.swap(*body);
    return std::nullopt;
  }
  const StatusOr<Coding> coding = ContentCoding(*encoding);
  if (!coding.ok()) return Error(*request, 415, std::string(coding.status().message()));
  StatusOr<std::string> plain = Decompress(*coding, *body, route.max_body_bytes);
  if (!plain.ok()) {
    const bool bomb = absl::IsResourceExhausted(plain.status());
    return Error(*request, bomb ? 413 : 400, std::string(plain.status().message()));
  }
  request->body = *std::move(plain);
  return std::nullopt;
}

Response Dispatcher::Call(const Route& route, const Request& request) const {
  Response response;
  if (Guarded(route, request, [&] { response = route.handler(request); })) return response;
  return Error(request, 500, "the server failed; its log names the cause under this request id");
}

std::optional<Response> Dispatcher::Call(const Route& route, const Request& request,
                                         Later* later) const {
  if (!route.later) return Call(route, request);
  std::optional<Response> response;
  if (Guarded(route, request, [&] { response = route.later(request, later); })) return response;
  return Error(request, 500, "the server failed; its log names the cause under this request id");
}

void Dispatcher::Open(const Route& route, const std::shared_ptr<Stream>& stream,
                      const Request& request) const {
  const StreamHandler& handler = route.websocket ? route.websocket : route.events;
  if (!Guarded(route, request, [&] { handler(stream, request); })) stream->Close();
}

void Dispatcher::Write(const Request& request, Response response, const WriteOptions& options,
                       std::string* out) const {
  const bool bodiless = response.status == 204 || response.status == 304;
  if (!bodiless && response.compress && response.body.size() >= options_.compress_from_bytes &&
      Compressible(response.content_type) && response.headers.Find("Content-Encoding") == nullptr) {
    response.headers.Add("Vary", "Accept-Encoding");
    const std::string* accept = request.headers.Find("Accept-Encoding");
    const Coding coding = accept == nullptr ? Coding::kIdentity : AcceptedCoding(*accept);
    if (coding != Coding::kIdentity) {
      std::string packed = Compress(coding, response.body);
      if (!packed.empty() && packed.size() < response.body.size()) {
        response.body = std::move(packed);
        response.headers.Add("Content-Encoding", std::string(Name(coding)));
      }
    }
  }
  out->reserve(out->size() + 512 + response.body.size());
  AppendStatusLine(response.status, out);
  *out += DateLine();
  if (!bodiless) {
    if (!response.content_type.empty()) AppendField("Content-Type", response.content_type, out);
    *out += "Content-Length: ";
    AppendNumber(response.body.size(), out);
    *out += "\r\n";
  }
  for (const auto& [name, value] : response.headers.all()) AppendField(name, value, out);
  AppendIdentity(request, out);
  if (options_.server_timing) {
    const int64_t micros = (Nanos() - options.received_ns) / 1000;
    AppendField("Server-Timing", Cat("app;dur=", static_cast<double>(micros) / 1000), out);
  }
  if (options.close) {
    *out += "Connection: close\r\n";
  } else if (options.minor_version == 0) {
    *out += "Connection: keep-alive\r\n";
  }
  *out += "\r\n";
  if (!bodiless && request.method != Method::kHead) *out += response.body;
}

std::string StreamHead(const Request& request, int status, const Headers& fields) {
  std::string out;
  AppendStatusLine(status, &out);
  out += DateLine();
  for (const auto& [name, value] : fields.all()) AppendField(name, value, &out);
  AppendIdentity(request, &out);
  out += "\r\n";
  return out;
}

}  // namespace saferl::net
