#include "saferl/storage/sigv4.h"

#include <time.h>

#include <algorithm>
#include <cctype>

#include "saferl/base/clock.h"
#include "saferl/base/hash.h"
#include "saferl/base/text.h"
#include "saferl/net/target.h"

namespace saferl::storage {
namespace {

std::string Raw(const Sha256Digest& digest) { return std::string(digest.begin(), digest.end()); }

/// Lower-case names, values trimmed with runs of spaces as one, sorted.
TextPairs CanonicalHeaders(const TextPairs& headers) {
  TextPairs canonical;
  for (const auto& [name, value] : headers) {
    std::string low = name, trimmed;
    for (char& c : low) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    for (const char c : value) {
      if (c != ' ' || (!trimmed.empty() && trimmed.back() != ' ')) trimmed += c;
    }
    if (!trimmed.empty() && trimmed.back() == ' ') trimmed.pop_back();
    canonical.emplace_back(std::move(low), std::move(trimmed));
  }
  std::ranges::stable_sort(canonical, {}, &std::pair<std::string, std::string>::first);
  return canonical;
}

std::string SignedHeaders(const TextPairs& canonical) {
  std::vector<std::string> names;
  for (const auto& [name, value] : canonical) names.push_back(name);
  return Join(names, ";");
}

}  // namespace

std::string CanonicalQuery(const TextPairs& query) {
  TextPairs encoded;
  for (const auto& [name, value] : query) {
    encoded.emplace_back(net::PercentEncode(name), net::PercentEncode(value));
  }
  std::ranges::sort(encoded);
  std::vector<std::string> parts;
  for (const auto& [name, value] : encoded) parts.push_back(Cat(name, "=", value));
  return Join(parts, "&");
}

std::string CanonicalRequest(const SigV4Request& request) {
  const TextPairs headers = CanonicalHeaders(request.headers);
  std::string lines;
  for (const auto& [name, value] : headers) lines += Cat(name, ":", value, "\n");
  return Cat(request.method, "\n", net::PercentEncode(request.path, "/"), "\n",
             CanonicalQuery(request.query), "\n", lines, "\n", SignedHeaders(headers), "\n",
             request.payload_sha256);
}

std::string SigV4Authorization(const SigV4Key& key, const SigV4Request& request,
                               std::string_view amz_date) {
  const std::string_view day = amz_date.substr(0, 8);
  const std::string scope = Cat(day, "/", key.region, "/s3/aws4_request");
  const std::string to_sign =
      Cat("AWS4-HMAC-SHA256\n", amz_date, "\n", scope, "\n", Sha256Hex(CanonicalRequest(request)));
  std::string signing_key = HmacSha256(Cat("AWS4", key.secret_access_key), day);
  for (const std::string_view part :
       {std::string_view(key.region), std::string_view("s3"), std::string_view("aws4_request")}) {
    signing_key = HmacSha256(signing_key, part);
  }
  const std::string signature = HmacSha256(signing_key, to_sign);
  Sha256Digest digest;
  std::ranges::copy(signature, digest.begin());
  return Cat("AWS4-HMAC-SHA256 Credential=", key.access_key_id, "/", scope,
             ",SignedHeaders=", SignedHeaders(CanonicalHeaders(request.headers)),
             ",Signature=", ToHex(digest));
}

std::string HmacSha256(std::string_view key, std::string_view text) {
  std::string block = key.size() > 64 ? Raw(Sha256Of(key)) : std::string(key);
  block.resize(64, '\0');
  std::string inner = block, outer = block;
  for (char& c : inner) c = static_cast<char>(c ^ 0x36);
  for (char& c : outer) c = static_cast<char>(c ^ 0x5c);
  return Raw(
      Sha256().Update(outer).Update(Raw(Sha256().Update(inner).Update(text).Finish())).Finish());
}

std::string AmzDate(int64_t wall_ns) {
  const time_t seconds = wall_ns / kNanosPerSecond;
  tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  return std::string(text, ::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts));
}

}  // namespace saferl::storage
