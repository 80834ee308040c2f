#pragma once
// Cache in Redis 7: plain or TLS 1.3, ACL user, one shared connection for commands (pipelined over
// threads) and one for subscriptions. Connects when first used and again by itself. RT: no.

#include <memory>

#include "saferl/storage/cache.h"

namespace saferl::storage {

/// kInvalidArgument: the URL or a PEM file. A server that is away is no error here.
StatusOr<std::unique_ptr<Cache>> OpenRedisCache(const CacheOptions& options);

}  // namespace saferl::storage
