#pragma once
// Where this process spends its processor time: stacks sampled by SIGPROF from a timer on each
// thread's own CPU clock, so that threads count by what they use and waiting costs nothing.
//
// One profile at a time. The handler walks the stack with backtrace() into memory set aside before;
// it allocates nothing. Threads that start later are found within 100 ms. Overhead: about 10 us a
// sample, 0.2 % of a busy thread at 199 Hz. Blocking calls of the profiled threads may return
// EINTR; SA_RESTART is set.
// Errors: kFailedPrecondition (one is running), kInvalidArgument (seconds, rate). RT: no.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/node.h"
#include "saferl/base/status.h"

namespace saferl::telemetry {

struct CpuProfile {
  double seconds = 0;
  int rate_hz = 0;
  uint64_t samples = 0, dropped = 0;
  /// From the thread's name over its root to the function that ran, and how often.
  std::map<std::vector<std::string>, uint64_t> stacks;
};

inline constexpr double kMaxProfileSeconds = 300;

/// Returns after `seconds` of wall time.
StatusOr<CpuProfile> ProfileCpu(double seconds, int rate_hz = 199);

/// "thread;main;f;g 12" lines, as flamegraph.pl and speedscope read them.
std::string FoldedStacks(const CpuProfile& profile);
std::string ProfileJson(const CpuProfile& profile);
StatusOr<CpuProfile> ParseProfileJson(const Node& node);
/// A page that is complete in itself: flame graph, search, the functions that cost most.
std::string ProfileHtml(const CpuProfile& profile, std::string_view title);

}  // namespace saferl::telemetry
