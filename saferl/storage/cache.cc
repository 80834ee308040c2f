#include "saferl/storage/cache.h"

#include "saferl/base/clock.h"
#include "saferl/storage/cache_memory.h"
#include "saferl/storage/cache_redis.h"

namespace saferl::storage {

StatusOr<std::unique_ptr<Cache>> OpenCache(const CacheOptions& options) {
  if (options.url == "memory:") return NewMemoryCache(options.memory_bytes, &Nanos);
  if (options.url.starts_with("redis")) return OpenRedisCache(options);
  return absl::InvalidArgumentError(
      "cache url: neither memory: nor redis://HOST:PORT/NUMBER; correct it");
}

}  // namespace saferl::storage
