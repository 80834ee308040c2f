#include "saferl/net/trace_context.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

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

/// "00" to "ff".
constexpr auto kHexPairs = [] {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> pairs{};
  for (size_t i = 0; i < pairs.size(); ++i) pairs[i] = {kHex[i >> 4], kHex[i & 15]};
  return pairs;
}();

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

void RandomHex(size_t bytes, std::string* out) {
  out->resize(bytes * 2);
  do {
    for (size_t i = 0; i < out->size(); i += 16) {
      uint64_t word = ThreadRandom().NextU64();
      for (size_t k = i; k < std::min(out->size(), i + 16); k += 2, word >>= 8)
        std::memcpy(out->data() + k, kHexPairs[word & 255].data(), 2);
    }
  } while (IsZero(*out));
}

std::string RandomHex(size_t bytes) {
  std::string out;
  RandomHex(bytes, &out);
  return out;
}

void SetIdentity(Request* request) {
  const std::string* id = request->headers.Find("X-Request-Id");
  if (id != nullptr && IsRequestId(*id)) {
    request->request_id = *id;
  } else {
    RandomHex(16, &request->request_id);
  }
  const std::string* parent = request->headers.Find("traceparent");
  request->trace_sampled = false;
  if (parent == nullptr || !ParseTraceparent(*parent, request)) {
    RandomHex(16, &request->trace_id);
    request->parent_span_id.clear();
  }
  RandomHex(8, &request->span_id);
}

std::string Traceparent(const Request& request) {
  return Cat("00-", request.trace_id, "-", request.span_id, request.trace_sampled ? "-01" : "-00");
}

}  // namespace saferl::net
