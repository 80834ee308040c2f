#pragma once
// HTTP messages as handlers see them: a parsed Request in, a Response out. No library type shows.
//
// Units: bytes; time in ns of the steady clock. Errors: a handler answers with a Response of any
// status; an exception that leaves it becomes 500. RT: no.
// Source: RFC 9110 (semantics), RFC 9457 (problem details), W3C Trace Context (traceparent).

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::net {

/// kCount stands for a method outside of this list: no route has it.
enum class Method : uint8_t { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions, kCount };
std::string_view Name(Method method);
Method ParseMethod(std::string_view name);

/// ASCII without case, as field names compare.
bool EqualIgnoringCase(std::string_view a, std::string_view b);

/// Field names compare without case; order is kept.
class Headers {
 public:
  /// The first value, or nullptr.
  const std::string* Find(std::string_view name) const;
  void Set(std::string_view name, std::string value);  ///< replaces every value of that name
  void Add(std::string name, std::string value) {
    all_.emplace_back(std::move(name), std::move(value));
  }
  /// True when a comma-separated list of any field of that name has `token`.
  bool HasToken(std::string_view name, std::string_view token) const;
  const std::vector<std::pair<std::string, std::string>>& all() const { return all_; }
  void Clear() { all_.clear(); }

 private:
  std::vector<std::pair<std::string, std::string>> all_;
};

struct Route;

struct Request {
  Method method = Method::kGet;
  std::string path;  ///< decoded, without trailing slash; never has "..", NUL or a backslash
  std::vector<std::pair<std::string, std::string>> params;  ///< of the route's {names}, decoded
  std::vector<std::pair<std::string, std::string>> query;   ///< decoded, in order
  Headers headers;
  std::string body;        ///< complete, decompressed, within the route's limit
  std::string peer;        ///< "127.0.0.1:51234"
  std::string request_id;  ///< the client's X-Request-Id when it is one, else made here
  std::string trace_id, span_id, parent_span_id;  ///< W3C: lower-case hex, 32, 16 and 16 or empty
  bool trace_sampled = false;                     ///< the caller's sampled flag
  int64_t received_ns = 0;                        ///< first byte, steady clock
  int64_t deadline_ns = 0;                        ///< when the server gives up
  const Route* route = nullptr;  ///< that the router found; none in a request made by hand

  const std::string& Param(std::string_view name) const;  ///< empty text when absent
  /// nullptr when absent. Both read only what the route declares (Route::query, Route::headers), so
  /// that the OpenAPI document is complete: another name throws, which the server answers with 500.
  const std::string* Query(std::string_view name) const;
  const std::string* Header(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  bool compress = true;  ///< may be packed when the client accepts that
  Headers headers;       ///< beyond Content-Type, Content-Length, Date and those the server adds

  static Response Json(std::string body, int status = 200);
  static Response Text(std::string body, int status = 200);
};

/// The reason phrase of a status ("Not Found"), or "Unknown".
std::string_view Reason(int status);
/// RFC 9457: application/problem+json with type, title, status, detail, instance (= request id).
/// An empty title is the reason phrase; 429 and 503 carry Retry-After: 1.
Response Problem(const Request& request, int status, std::string_view title,
                 std::string_view detail);
/// The one place where canonical codes become HTTP statuses.
int HttpStatus(absl::StatusCode code);
/// Problem from a status. The detail of kInternal, kDataLoss and kUnknown stays in the log.
Response Problem(const Request& request, const Status& status);

}  // namespace saferl::net
