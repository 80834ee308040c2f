// Any bytes: the parser answers, or refuses naming the file.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "saferl/base/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const saferl::StatusOr<saferl::Node> node =
      saferl::ParseYaml({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!node.ok() && node.status().message().find("fuzz:") != 0) std::abort();
  return 0;
}
