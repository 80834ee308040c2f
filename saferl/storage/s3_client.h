#pragma once
// Requests to one S3 bucket: signed, tried again with backoff while that can help, and a breaker
// while the server is away.
//
// Safe from any thread (each request borrows a connection). Every request here may be repeated
// without harm: names are digests. Errors: kNotFound (404), kPermissionDenied (403: wrong keys,
// rights, clock), kFailedPrecondition (no such bucket, another region), kResourceExhausted (quota),
// kUnavailable (the rest, after patience_s). RT: no. Source: Amazon S3 API reference.

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/clock.h"
#include "saferl/net/http_client.h"
#include "saferl/storage/breaker.h"
#include "saferl/storage/objects.h"
#include "saferl/storage/sigv4.h"

namespace saferl::storage {

class S3Client {
 public:
  /// kInvalidArgument: an option, by name.
  static StatusOr<std::unique_ptr<S3Client>> Create(const ObjectsOptions& options);

  struct Request {
    net::Method method = net::Method::kGet;
    std::string key = {};  ///< below the prefix; empty with `on_bucket`
    bool on_bucket = false;
    TextPairs query = {};
    std::string body = {};
    std::string sha256 = {};  ///< of the body; empty: computed here
  };
  /// An answer of 2xx.
  StatusOr<net::ClientResponse> Send(const Request& request);

  const std::string& prefix() const { return prefix_; }  ///< "" or "a/b/"

 private:
  S3Client() : breaker_({}, static_cast<uint64_t>(Nanos())) {}
  StatusOr<net::ClientResponse> SendOnce(const Request& request, const std::string& sha256);
  StatusOr<net::ClientResponse> SendUntil(const Request& request, const Deadline& patience);
  Status ToStatus(const Request& request, const net::ClientResponse& response) const;

  ObjectsOptions options_;
  std::string origin_;  ///< "https://host:port"
  std::string host_;    ///< as in the Host header
  std::string bucket_, prefix_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<net::HttpClient>> idle_;
  Status last_failure_;
  Breaker breaker_;
};

}  // namespace saferl::storage
