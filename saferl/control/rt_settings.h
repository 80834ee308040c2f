#pragma once
// What the operating system grants a real-time thread: FIFO scheduling, locked memory, one
// processor, and processors that do not doze.
//
// Each is `require` (fail without it), `warn` (go on and say so) or `off`. What was really got is
// printed at the start. RT: no. Errors: kPermissionDenied or kUnavailable naming the setting and
// what to do.

#include <cstdint>
#include <string>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::control {

enum class Requirement : uint8_t { kRequire, kWarn, kOff };

struct RtSettings {
  Requirement fifo = Requirement::kWarn;
  int fifo_priority = 80;  ///< 1..99
  Requirement lock_memory = Requirement::kWarn;
  Requirement affinity = Requirement::kOff;
  int processor = 0;  ///< for affinity
  /// No idle processor sleeps deeper than it wakes in 0 us (PM QoS, /dev/cpu_dma_latency): costs
  /// power, on all processors. Held until the process ends.
  Requirement awake = Requirement::kOff;
};

struct RtGranted {
  int fifo_priority = 0;  ///< 0 = ordinary scheduling
  bool memory_locked = false;
  int processor = -1;  ///< -1 = any
  bool awake = false;
  std::vector<std::string> warnings;

  /// "scheduling fifo 80, memory locked, processor 1, idle processors awake".
  std::string Text() const;
};

/// Applies to the calling thread (memory: to the process; `awake`: to the machine).
StatusOr<RtGranted> ApplyRtSettings(const RtSettings& settings);

}  // namespace saferl::control
