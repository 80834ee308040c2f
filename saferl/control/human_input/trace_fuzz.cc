// Any bytes: the trace parser answers or refuses with a line; what it accepts can be played at any
// time.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "saferl/control/human_input/trace.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto trace = saferl::control::HumanTrace::Parse(text, "fuzz", 2);
  if (!trace.ok()) return trace.status().message().find("fuzz:") == 0 ? 0 : (std::abort(), 0);
  for (int64_t now : {int64_t{-1}, int64_t{0}, int64_t{1} << 40}) {
    const auto input = trace->At(now, 0);
    if (!std::isfinite(input.u[0]) || !std::isfinite(input.u[1])) std::abort();
  }
  return 0;
}
