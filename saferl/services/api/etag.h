#pragma once
// Entity tags, the same for every resource of the API.
//
// GET: the answer carries ETag; If-None-Match with that tag is answered 304 without a body. A
// change (PUT, DELETE): If-Match with a tag that is no longer the resource's is answered 412, so
// that nobody overwrites what they have not seen. RT: no. Source: RFC 9110 sections 8.8.3, 13.1.

#include <string>
#include <string_view>

#include "saferl/base/status.h"
#include "saferl/net/router.h"

namespace saferl::services {

/// Strong tag of a representation: its SHA-256, shortened.
std::string ETagOf(std::string_view representation);
/// What a route says that uses these: a GET WithETag, a change CheckIfMatch, a creation its ETag.
void ListsETag(net::Route* route);
void ListsIfMatch(net::Route* route);
void ListsNewETag(net::Route* route);
/// Adds ETag to a 200 of a GET; 304 when the client has it already.
net::Response WithETag(const net::Request& request, net::Response response);
/// OK, or kFailedPrecondition (412) when If-Match names neither `current` nor "*". `current` empty:
/// the resource does not exist.
Status CheckIfMatch(const net::Request& request, std::string_view current);

}  // namespace saferl::services
