#pragma once
// Identity of a request: X-Request-Id and W3C Trace Context.
//
// RT: no. Source: W3C Trace Context Level 2 (traceparent: version-trace-parent-flags).

#include <string>
#include <string_view>

#include "saferl/net/http.h"

namespace saferl::net {

/// `bytes` random bytes as lower-case hex; never all zero. Not for secrets.
std::string RandomHex(size_t bytes);
/// The same in a text that keeps its memory.
void RandomHex(size_t bytes, std::string* out);

/// Fills request_id, trace_id, span_id, parent_span_id and trace_sampled from the headers; what is
/// missing or malformed is made new (a malformed traceparent is as good as none, as W3C wants).
void SetIdentity(Request* request);

/// The traceparent header to send onward from work on this request.
std::string Traceparent(const Request& request);

}  // namespace saferl::net
