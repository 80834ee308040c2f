#include "saferl/net/trace_context.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdint>

#include "saferl/base/random.h"
#include "saferl/base/text.h"

namespace saferl::net {
namespace {

constexpr size_t kMaxRequestId = 128;

Random& ThreadRandom() {
  thread_local Random random = [] {
    uint64_t seed[2] = {};
    if (getrandom(seed, sizeof seed, 0) != sizeof seed) {
      seed[0] = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(&seed));
    }
    return Random(seed[0], seed[1]);
  }();
  return random;
}

bool IsLowerHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsZero(std::string_view text) { return text.find_first_not_of('0') == text.npos; }

bool IsRequestId(std::string_view text) {
  return !text.empty() && text.size() <= kMaxRequestId &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.' || c == ':';
         });
}

/// "00-<32>-<16>-<2>"; a later version may have more after a dash.
bool ParseTraceparent(std::string_view text, Request* request) {
  if (text.size() < 55 || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  const std::string_view version = text.substr(0, 2), trace = text.substr(3, 32);
  const std::string_view parent = text.substr(36, 16), flags = text.substr(53, 2);
  if (!IsLowerHex(version) || !IsLowerHex(trace) || !IsLowerHex(parent) || !IsLowerHex(flags)) {
    return false;
  }
  if (version == "ff" || IsZero(trace) || IsZero(parent)) return false;
  if (text.size() > 55 && (version == "00" || text[55] != '-')) return false;
  request->trace_id = trace;
  request->parent_span_id = parent;
  request->trace_sampled = (flags[1] >= 'a' ? flags[1] - 'a' + 10 : flags[1] - '0') % 2 == 1;
  return true;
}

}  // namespace

std::string RandomHex(size_t bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out(bytes * 2, '0');
  do {
    for (size_t i = 0; i < out.size(); i += 16) {
      uint64_t word = ThreadRandom().NextU64();
      for (size_t k = i; k < std::min(out.size(), i + 16); ++k, word >>= 4)
        out[k] = kHex[word & 15];
    }
  } while (IsZero(out));
  return out;
}

void SetIdentity(Request* request) {
  const std::string* id = request->headers.Find("X-Request-Id");
  request->request_id = id != nullptr && IsRequestId(*id) ? *id : RandomHex(16);
  const std::string* parent = request->headers.Find("traceparent");
  request->trace_sampled = false;
  if (parent == nullptr || !ParseTraceparent(*parent, request)) {
    request->trace_id = RandomHex(16);
    request->parent_span_id.clear();
  }
  request->span_id = RandomHex(8);
}

std::string Traceparent(const Request& request) {
  return Cat("00-", request.trace_id, "-", request.span_id, request.trace_sampled ? "-01" : "-00");
}

}  // namespace saferl::net
