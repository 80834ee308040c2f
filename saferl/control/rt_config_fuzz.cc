// Any text as saferl_rt's configuration: it is read, or refused with a message that begins with the
// file's name.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "saferl/control/rt_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto config = saferl::control::ReadRtConfig(text, "fuzz.yaml");
  if (!config.ok()) {
    if (config.status().message().find("fuzz.yaml:") != 0) std::abort();
    return 0;
  }
  if (config->lease_s && !(*config->lease_s > 0)) std::abort();
  if (!(config->limits.max_people_age_s > 0)) std::abort();
  return 0;
}
