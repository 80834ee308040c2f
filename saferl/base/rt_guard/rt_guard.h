#pragma once
// Proof that a piece of code keeps the real-time rules: counts heap calls and mutex locks of the
// calling thread, page faults, and system calls. Linked only into *_rt_test and bench programs
// (saferl::rt_guard): the library replaces malloc, free and friends and pthread_mutex_lock for the
// whole program.
//
//   RtCounts counts;
//   { RtScope scope(&counts); Tick(...); }
//   EXPECT_EQ(counts.allocations, 0);
//   EXPECT_EQ(*CountSyscalls([&] { Tick(...); }), 0);
//
// Sanitizers own malloc: in their builds kRtCounting is false and the counts stay 0.
// Errors: CountSyscalls fails with kUnavailable where the kernel refuses a seccomp filter.

#include <cstdint>
#include <functional>

#include "saferl/base/status.h"

namespace saferl {

#ifdef SAFERL_SANITIZED
inline constexpr bool kRtCounting = false;
#else
inline constexpr bool kRtCounting = true;
#endif

struct RtCounts {
  int64_t allocations = 0;  ///< malloc, calloc, realloc, aligned forms, operator new
  int64_t frees = 0;
  int64_t locks = 0;        ///< pthread_mutex_lock, trylock, timedlock, rwlocks
  int64_t page_faults = 0;  ///< minor and major, of this thread
};

/// Counts what the calling thread does while it lives; adds to `*counts` when it dies. Scopes do
/// not nest.
class RtScope {
 public:
  explicit RtScope(RtCounts* counts);
  ~RtScope();
  RtScope(const RtScope&) = delete;
  RtScope& operator=(const RtScope&) = delete;

 private:
  RtCounts* counts_;
  int64_t faults_before_ = 0;
};

/// What CountSyscalls saw.
struct SyscallCount {
  int64_t calls = 0;
  int first = -1;  ///< number of the first one (see <sys/syscall.h>), -1 = none
};

/// Runs `fn` in a forked copy of this process in which every system call but the clock and sleep is
/// trapped and counted (a trapped call fails with ENOSYS). In sanitizer builds `fn` runs without a
/// filter and the count is 0.
StatusOr<SyscallCount> CountSyscalls(const std::function<void()>& fn);

}  // namespace saferl
