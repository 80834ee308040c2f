#pragma once
// The request target: splitting, percent decoding, and what is refused because two parsers could
// read it differently. RT: no. Source: RFC 3986, RFC 9112 section 3.2.
//
// Taken: origin form ("/a/b?c=d") and absolute form ("http://host/a"). Refused, each with its
// reason: bytes outside of the URI grammar, bad percent triplets, NUL and control characters,
// encoded "/" and "\", segments "." and ".." in any spelling, empty inner segments, bad UTF-8.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::net {

struct Target {
  std::string path;  ///< decoded; no trailing slash unless it is "/"
  std::vector<std::pair<std::string, std::string>> query;
};

StatusOr<Target> ParseTarget(std::string_view target);

/// Decodes %XX, in queries "+" as a space too. InvalidArgument on a bad triplet.
StatusOr<std::string> PercentDecode(std::string_view text, bool plus_is_space);
/// Everything but unreserved characters as %XX; `keep` names further ones to leave ("/").
std::string PercentEncode(std::string_view text, std::string_view keep = "");

/// True when every byte belongs to a shortest-form UTF-8 sequence.
bool IsUtf8(std::string_view text);

}  // namespace saferl::net
