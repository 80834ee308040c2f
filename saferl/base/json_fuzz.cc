// Any bytes: the parser answers or refuses with a line, and what it accepts can be written again.
#include <array>
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
  // A list of numbers is the same list, in one run or one by one.
  saferl::JsonReader run(text, "fuzz"), single(text, "fuzz");
  if (run.BeginArray().ok() && single.BeginArray().ok()) {
    std::array<double, 8> values;
    const size_t n = run.Reals<double>(values);
    for (size_t i = 0; i < n; ++i) {
      double value = 0;
      if (!single.NextItem() || !single.Number(&value).ok() || value != values[i]) std::abort();
    }
    for (bool more = true; more;) {
      more = run.NextItem();
      if (more != single.NextItem() || (more && run.Skip() != single.Skip())) std::abort();
      more = more && run.status().ok();
    }
    if (run.status() != single.status()) std::abort();
  }
  const std::string quoted = saferl::JsonWriter().Value(text).Take();
  if (!saferl::ParseJson(quoted, "fuzz").ok()) std::abort();
  return 0;
}
