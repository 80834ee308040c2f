// Any bytes: the parser answers or refuses with a line, and what it accepts can be written again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "saferl/base/json.h"
#include "saferl/base/json_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const saferl::StatusOr<saferl::Node> node = saferl::ParseJson(text, "fuzz");
  if (!node.ok() && node.status().message().find("fuzz:") != 0) std::abort();
  saferl::JsonReader reader(text, "fuzz");
  (void)reader.Skip();
  if (node.ok() && !reader.Finish().ok()) std::abort();  // what has a tree can be skipped
  const std::string quoted = saferl::JsonWriter().Value(text).Take();
  if (!saferl::ParseJson(quoted, "fuzz").ok()) std::abort();
  return 0;
}
