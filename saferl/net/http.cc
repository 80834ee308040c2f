#include "saferl/net/http.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <stdexcept>

#include "saferl/base/json.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/net/router.h"

namespace saferl::net {
namespace {

constexpr std::array<std::string_view, static_cast<size_t>(Method::kCount)> kMethods = {
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

constexpr std::pair<int, std::string_view> kReasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

constexpr std::pair<absl::StatusCode, int> kStatuses[] = {
    {absl::StatusCode::kOk, 200},
    {absl::StatusCode::kCancelled, 499},
    {absl::StatusCode::kInvalidArgument, 400},
    {absl::StatusCode::kOutOfRange, 400},
    {absl::StatusCode::kDeadlineExceeded, 504},
    {absl::StatusCode::kNotFound, 404},
    {absl::StatusCode::kAlreadyExists, 409},
    {absl::StatusCode::kAborted, 409},
    {absl::StatusCode::kFailedPrecondition, 412},
    {absl::StatusCode::kPermissionDenied, 403},
    {absl::StatusCode::kUnauthenticated, 401},
    {absl::StatusCode::kResourceExhausted, 429},
    {absl::StatusCode::kUnimplemented, 501},
    {absl::StatusCode::kUnavailable, 503},
    {absl::StatusCode::kUnknown, 503},  // a store went away during the commit
};  // kInternal and kDataLoss are 500

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool ListHas(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    if (EqualIgnoringCase(Trim(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

/// A programmer's error, found by the first request that gets there: the server answers 500 and its
/// log has the text. See Request::Query.
void CheckDeclared(const Route& route, const std::vector<FieldSpec>& declared,
                   std::string_view kind, std::string_view name) {
  for (const FieldSpec& field : declared) {
    if (field.name == name) return;
  }
  throw std::logic_error(
      Cat(route.operation_id, " reads the ", kind, " '", name, "', which its Route does not list"));
}

}  // namespace

std::string_view Name(Method method) {
  return method < Method::kCount ? kMethods[static_cast<size_t>(method)] : "UNKNOWN";
}

Method ParseMethod(std::string_view name) {
  const auto found = std::find(kMethods.begin(), kMethods.end(), name);
  return static_cast<Method>(found - kMethods.begin());
}

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return Lower(x) == Lower(y); });
}

const std::string* Headers::Find(std::string_view name) const {
  for (const auto& [key, value] : all_) {
    if (EqualIgnoringCase(key, name)) return &value;
  }
  return nullptr;
}

void Headers::Set(std::string_view name, std::string value) {
  std::erase_if(all_, [&](const auto& field) { return EqualIgnoringCase(field.first, name); });
  all_.emplace_back(name, std::move(value));
}

bool Headers::HasToken(std::string_view name, std::string_view token) const {
  return std::any_of(all_.begin(), all_.end(), [&](const auto& field) {
    return EqualIgnoringCase(field.first, name) && ListHas(field.second, token);
  });
}

const std::string& Request::Param(std::string_view name) const {
  static const std::string kNone;
  for (const auto& [key, value] : params) {
    if (key == name) return value;
  }
  return kNone;
}

const std::string* Request::Query(std::string_view name) const {
  if (route != nullptr) CheckDeclared(*route, route->query, "query field", name);
  for (const auto& [key, value] : query) {
    if (key == name) return &value;
  }
  return nullptr;
}

const std::string* Request::Header(std::string_view name) const {
  if (route != nullptr) CheckDeclared(*route, route->headers, "header", name);
  return headers.Find(name);
}

Response Response::Json(std::string body, int status) {
  Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

Response Response::Text(std::string body, int status) {
  Response response = Json(std::move(body), status);
  response.content_type = "text/plain; charset=utf-8";
  return response;
}

std::string_view Reason(int status) {
  const auto* found = std::find_if(std::begin(kReasons), std::end(kReasons),
                                   [&](const auto& reason) { return reason.first == status; });
  return found == std::end(kReasons) ? "Unknown" : found->second;
}

Response Problem(const Request& request, int status, std::string_view title,
                 std::string_view detail) {
  JsonWriter json;
  json.BeginObject()
      .Field("type", "about:blank")
      .Field("title", title.empty() ? Reason(status) : title)
      .Field("status", status)
      .Field("detail", detail);
  if (!request.request_id.empty()) json.Field("instance", request.request_id);
  Response response = Response::Json(json.EndObject().Take(), status);
  response.content_type = "application/problem+json";
  if (status == 429 || status == 503) response.headers.Add("Retry-After", "1");
  return response;
}

int HttpStatus(absl::StatusCode code) {
  const auto* found = std::find_if(std::begin(kStatuses), std::end(kStatuses),
                                   [&](const auto& status) { return status.first == code; });
  return found == std::end(kStatuses) ? 500 : found->second;
}

Response Problem(const Request& request, const Status& status) {
  const int code = HttpStatus(status.code());
  if (code == 500) {
    Log(LogLevel::kError, "request failed",
        {{"request", request.request_id}, {"error", status.ToString()}});
    return Problem(request, code, "",
                   "the server failed; its log names the cause under this instance");
  }
  return Problem(request, code, "", std::string(status.message()));
}

}  // namespace saferl::net
