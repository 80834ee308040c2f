// Any bytes: a reference that is written and read back the same, or an error that says what is
// wrong. The input is also tried with its own checksum, so that the reader behind it is reached.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "saferl/base/hash.h"
#include "saferl/policy/drift_reference.h"

namespace {

void Try(std::string_view bytes) {
  const auto reference = saferl::policy::DecodeDriftReference(bytes, "fuzz");
  if (!reference.ok()) {
    if (reference.status().message().empty()) std::abort();
    return;
  }
  const std::string again = saferl::policy::EncodeDriftReference(*reference);
  const auto back = saferl::policy::DecodeDriftReference(again, "again");
  if (!back.ok() || saferl::policy::EncodeDriftReference(*back) != again) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  Try(text);
  const std::string line = text.substr(0, text.find('\n'));
  Try(line + "\n" + saferl::Sha256Hex(line) + "\n");
  return 0;
}
