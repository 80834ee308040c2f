#pragma once
// AWS Signature Version 4 for S3: what a request must say so that the server knows who sent it and
// that nothing was changed on the way.
//
// Texts go in as they are meant (not yet percent-encoded), in any order; encoding and sorting are
// done here, once, and the URL is made of the same encoded pieces that were signed.
// RT: no. Source: AWS, "Authenticating Requests: Using the Authorization Header (AWS Signature
// Version 4)"; RFC 2104 (HMAC); RFC 3986 (percent-encoding).

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace saferl::storage {

using TextPairs = std::vector<std::pair<std::string, std::string>>;

struct SigV4Key {
  std::string access_key_id, secret_access_key, region;
};

struct SigV4Request {
  std::string method = "GET";
  std::string path = "/";           ///< "/bucket/key", not encoded
  TextPairs query = {};             ///< not encoded
  TextPairs headers = {};           ///< all that are to be signed, host and x-amz-date among them
  std::string payload_sha256 = {};  ///< hex; also sent as x-amz-content-sha256
};

/// "a=1&b=" with names and values encoded, then sorted.
std::string CanonicalQuery(const TextPairs& query);
/// The text whose hash is signed.
std::string CanonicalRequest(const SigV4Request& request);
/// The value of the Authorization header. `amz_date`: "20130524T000000Z", as in x-amz-date.
std::string SigV4Authorization(const SigV4Key& key, const SigV4Request& request,
                               std::string_view amz_date);
/// 32 raw bytes.
std::string HmacSha256(std::string_view key, std::string_view text);
/// A time [ns since 1970] as x-amz-date wants it.
std::string AmzDate(int64_t wall_ns);

}  // namespace saferl::storage
