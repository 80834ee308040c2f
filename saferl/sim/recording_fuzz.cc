// Recordings from a stranger: any bytes give a recording or an error; what is read has finite times
// in order.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "saferl/sim/recording.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto recording =
      saferl::sim::ParseRecording({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!recording.ok()) return 0;
  if (!std::isfinite(recording->end_s)) __builtin_trap();
  saferl::sim::Point p;
  for (size_t i = 0; i < recording->tracks.size(); ++i) {
    if (recording->At(i, recording->Played(3.0), &p) && !std::isfinite(p.x)) __builtin_trap();
  }
  return 0;
}
