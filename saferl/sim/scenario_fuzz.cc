// Scenario files from a stranger: any bytes give a scenario or an error, never a crash.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "saferl/sim/scenario.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto scenario =
      saferl::sim::ParseScenario({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (scenario.ok() && scenario->duration_s > 3600) __builtin_trap();
  return 0;
}
