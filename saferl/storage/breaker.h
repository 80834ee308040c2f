#pragma once
// Circuit breaker with exponential backoff and jitter: while a server is away, callers hear so at
// once instead of each waiting for it, and one of them at a time looks whether it is back.
//
//   if (!breaker.Allow(Nanos())) return kUnavailable;
//   if (Status s = Connect(); !s.ok()) breaker.Failed(Nanos()); else breaker.Worked();
//
// Safe from any thread. RT: no. Source: M. Nygard, "Release It!" (2018), section 5.2; M. Brooker,
// "Exponential Backoff and Jitter" (AWS, 2015): full jitter over half of the wait.

#include <cstdint>
#include <mutex>

#include "saferl/base/random.h"

namespace saferl::storage {

class Breaker {
 public:
  struct Options {
    double first_s = 0.05;  ///< wait after the first failure; doubles with each further one
    double most_s = 2;      ///< so that a server that is back is found within this
  };
  explicit Breaker(const Options& options, uint64_t seed) : options_(options), random_(seed) {}

  /// May a call go out? While open: false; after the wait true for one caller, the probe, whose
  /// result must be reported (a probe that never reports is replaced after another wait).
  bool Allow(int64_t now_ns) {
    const std::lock_guard lock(mutex_);
    if (failures_ == 0) return true;
    if (now_ns < retry_at_ns_) return false;
    retry_at_ns_ = now_ns + WaitNs();
    return true;
  }
  void Failed(int64_t now_ns) {
    const std::lock_guard lock(mutex_);
    if (failures_ < 32) ++failures_;
    retry_at_ns_ = now_ns + WaitNs();
  }
  void Worked() {
    const std::lock_guard lock(mutex_);
    failures_ = 0;
  }
  bool open() const {
    const std::lock_guard lock(mutex_);
    return failures_ > 0;
  }

 private:
  int64_t WaitNs() {
    double wait_s = options_.first_s;
    for (int i = 1; i < failures_ && wait_s < options_.most_s; ++i) wait_s *= 2;
    if (wait_s > options_.most_s) wait_s = options_.most_s;
    return static_cast<int64_t>(wait_s * random_.Uniform(0.5, 1.0) * 1e9);
  }

  const Options options_;
  mutable std::mutex mutex_;
  Random random_;
  int failures_ = 0;
  int64_t retry_at_ns_ = 0;
};

}  // namespace saferl::storage
