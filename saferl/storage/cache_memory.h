#pragma once
// Cache in this process: least recently used goes first, time to live on the steady clock, messages
// on one thread. RT: no. Cost: one lock, one hash.

#include <cstdint>
#include <functional>
#include <memory>

#include "saferl/storage/cache.h"

namespace saferl::storage {

/// What an entry costs beyond its key and value.
inline constexpr size_t kCacheEntryBytes = 128;

/// `now_ns` is the steady clock; tests give their own.
std::unique_ptr<Cache> NewMemoryCache(size_t memory_bytes, std::function<int64_t()> now_ns);

}  // namespace saferl::storage
