#include "saferl/services/api/etag.h"

#include "saferl/base/hash.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// True when a comma-separated list names the tag. `weak`: W/"x" counts as "x".
bool Names(std::string_view list, std::string_view tag, bool weak) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    std::string_view one = Trim(list.substr(0, comma));
    list = comma == std::string_view::npos ? "" : list.substr(comma + 1);
    if (one == "*" && !tag.empty()) return true;
    if (weak && one.starts_with("W/")) one.remove_prefix(2);
    if (!tag.empty() && one == tag) return true;
  }
  return false;
}

const net::FieldSpec& ETagField() {
  static const net::FieldSpec field = {
      .name = "ETag", .type = "string", .doc = "the tag of what this says; send it as If-Match"};
  return field;
}

}  // namespace

void ListsETag(net::Route* route) {
  route->headers.push_back({.name = "If-None-Match",
                            .type = "string",
                            .doc = "a tag that you have; unchanged is answered 304"});
  route->answer_headers.push_back(ETagField());
  route->errors.push_back(304);
}

void ListsIfMatch(net::Route* route) {
  route->headers.push_back({.name = "If-Match",
                            .type = "string",
                            .doc = "the tag that you have read; another by now is answered 412"});
  if (route->method != net::Method::kDelete || route->success[0] != 204)
    route->answer_headers.push_back(ETagField());
  route->errors.push_back(412);
}

void ListsNewETag(net::Route* route) {
  route->success[0] = 201;
  route->answer_headers.push_back({.name = "Location", .type = "string", .doc = "where it is"});
  route->answer_headers.push_back(ETagField());
}

std::string ETagOf(std::string_view representation) {
  return Cat("\"", Sha256Hex(representation).substr(0, 32), "\"");
}

net::Response WithETag(const net::Request& request, net::Response response) {
  if (response.status != 200) return response;
  const std::string tag = ETagOf(response.body);
  const std::string* has = request.Header("If-None-Match");
  if (has != nullptr && Names(*has, tag, true)) {
    net::Response unchanged;
    unchanged.status = 304;
    unchanged.headers.Set("ETag", tag);
    return unchanged;
  }
  response.headers.Set("ETag", tag);
  return response;
}

Status CheckIfMatch(const net::Request& request, std::string_view current) {
  const std::string* wants = request.Header("If-Match");
  if (wants == nullptr || Names(*wants, current, false)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "If-Match: the resource has changed since; read it again and decide anew");
}

}  // namespace saferl::services
