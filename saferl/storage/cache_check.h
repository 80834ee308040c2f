#pragma once
// What both caches refuse before they start. RT: no.

#include "saferl/base/status.h"
#include "saferl/base/text.h"

namespace saferl::storage {

inline Status CheckTtl(double ttl_s) {
  if (ttl_s >= 0.001 && ttl_s <= 1e9) return absl::OkStatus();  // also refuses what is no number
  return absl::InvalidArgumentError(
      Cat("cache ttl_s: ", ttl_s, " is outside [0.001, 1e9]; give seconds"));
}

}  // namespace saferl::storage
