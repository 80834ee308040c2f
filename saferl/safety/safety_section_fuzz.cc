// Any text as a robot file's safety section: numbers in range, or a refusal that names the file.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "saferl/safety/safety_section.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto section = saferl::safety::ReadSafetySection(text, "fuzz.yaml");
  if (!section.ok()) {
    if (section.status().message().find("fuzz.yaml:") == absl::string_view::npos) std::abort();
    return 0;
  }
  if (!(section->human.body_speed_m_s >= 0.1 && section->human.error_m >= 0.001)) std::abort();
  for (const double w : section->weight) {
    if (!(w > 0)) std::abort();
  }
  return 0;
}
