#pragma once
// How a process's memory changes over time, from /proc: any process of this user, nothing to
// enable. Units: bytes, seconds. RT: no.
// Errors: kNotFound (no such process, or it ended before the first sample), kPermissionDenied,
// kInvalidArgument (seconds, interval).

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::telemetry {

struct MemorySample {
  double t_s = 0;
  uint64_t rss = 0, pss = 0, anonymous = 0, private_dirty = 0, swap = 0;
  uint64_t heap = 0;  ///< in use by malloc (mallinfo2); 0 for other processes
  int threads = 0;
};

struct MemoryProfile {
  int pid = 0;
  std::string name;
  bool ended = false;  ///< the process did, before the time was over
  std::vector<MemorySample> samples;
  struct Mapping {
    std::string name;              ///< file, [heap], [stack], [anonymous]
    uint64_t first = 0, last = 0;  ///< resident
  };
  std::vector<Mapping> mappings;  ///< those that grew most first; at most 30
};

/// `on_sample` is told of each sample when it is taken.
StatusOr<MemoryProfile> ProfileMemory(
    int pid, double seconds, double interval_s = 0.5,
    const std::function<void(const MemorySample&)>& on_sample = {});

/// Slope of the least-squares line through resident memory [bytes/s].
double GrowthPerSecond(const MemoryProfile& profile);
std::string MemoryJson(const MemoryProfile& profile);
/// A page that is complete in itself: plot and mappings. At least one sample.
std::string MemoryHtml(const MemoryProfile& profile, std::string_view title);

}  // namespace saferl::telemetry
