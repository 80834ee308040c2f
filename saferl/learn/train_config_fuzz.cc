// Any text as a training configuration: it reads back as it prints, or it is refused with a message
// that begins with the file's name.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "saferl/learn/train_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto config = saferl::learn::ReadTrainConfig(text, "fuzz.yaml");
  if (!config.ok()) {
    if (config.status().message().find("fuzz.yaml") != 0) std::abort();
    return 0;
  }
  const std::string printed = saferl::learn::PrintTrainConfig(*config);
  const auto again = saferl::learn::ReadTrainConfig(printed, "printed.yaml");
  if (!again.ok() || saferl::learn::PrintTrainConfig(*again) != printed) std::abort();
  (void)config->Check();
  return 0;
}
