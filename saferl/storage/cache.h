#pragma once
// Cache: small values with a time to live, counters and messages, in process or in Redis 7. What
// is in it may vanish at any time: nothing that must survive lives here. Keys, values, channels and
// messages are any bytes.
//
// Messages are delivered at most once, in order per channel: a receiver that falls behind or whose
// connection breaks loses some, and is subscribed again by itself.
// Errors: kUnavailable (Redis away; the breaker answers at once until a probe succeeds),
// kInvalidArgument (ttl_s), kFailedPrecondition (Add to what is no integer), kOutOfRange (Add
// beyond 64 bits), kResourceExhausted (larger than the cache), kPermissionDenied (Redis ACL). Safe
// from any thread. RT: no.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "saferl/base/status.h"

namespace saferl::storage {

class Cache {
 public:
  virtual ~Cache() = default;
  virtual StatusOr<std::optional<std::string>> Get(std::string_view key) = 0;
  /// ttl_s in [0.001, 1e9].
  virtual Status Set(std::string_view key, std::string_view value, double ttl_s) = 0;
  virtual Status Delete(std::string_view key) = 0;
  /// Adds and returns the sum; a new counter starts at 0 and lives ttl_s from its birth.
  virtual StatusOr<int64_t> Add(std::string_view key, int64_t delta, double ttl_s) = 0;
  virtual Status Publish(std::string_view channel, std::string_view message) = 0;
  /// Messages from now on, on the adapter's one thread (do not wait in `receive`). The subscription
  /// ends with the returned object: when its destructor returns, `receive` neither runs nor will,
  /// unless it is `receive` itself that destroys it. It must end before its cache does.
  class Subscription {
   public:
    virtual ~Subscription() = default;
  };
  virtual StatusOr<std::unique_ptr<Subscription>> Subscribe(
      std::string_view channel, std::function<void(std::string_view message)> receive) = 0;
  virtual Status Check() = 0;
  virtual std::string_view kind() const = 0;  ///< "memory" or "redis"
};

struct CacheOptions {
  std::string url = "memory:";           ///< or "redis://host:port/0", "rediss://..." (TLS)
  std::string user = {}, password = {};  ///< Redis ACL; never printed
  std::string ca_file = {}, cert_file = {}, key_file = {};  ///< TLS: PEM; empty: the system's CAs
  size_t memory_bytes = 64 << 20;  ///< in process: least recently used goes first
  double timeout_s = 1;
};
StatusOr<std::unique_ptr<Cache>> OpenCache(const CacheOptions& options);

}  // namespace saferl::storage
