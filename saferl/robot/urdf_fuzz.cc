// Any text as a URDF: a chain of finite numbers, or a refusal that names the file; never an
// exception or a message on the terminal.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "saferl/robot/urdf_adapter.h"

// urdfdom keeps the memory of descriptions whose links hang on themselves; the adapter refuses
// those that a text search finds, and mutated ones that it does not see are urdfdom's.
extern "C" const char* __lsan_default_suppressions() { return "leak:liburdfdom_model\n"; }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto chain = saferl::robot::ParseUrdfChain(text, "fuzz.urdf", "base", "tool");
  if (!chain.ok()) {
    if (chain.status().message().find("fuzz.urdf:") != 0) std::abort();
    return 0;
  }
  for (const auto& joint : chain->joints) {
    if (!std::isfinite(joint.x_PJ.p.x + joint.axis.x + joint.x_PJ.r.m[0][0])) std::abort();
    if (joint.turns && !(joint.velocity_rad_s > 0 && joint.lower_rad < joint.upper_rad))
      std::abort();
  }
  return 0;
}
