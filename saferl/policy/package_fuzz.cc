// Any bytes: DecodePackage ends in an error, or in a valid spec that encodes to the same bytes.
// Half of the inputs get a right size and hash, so that mutations reach the sections.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "saferl/base/hash.h"
#include "saferl/policy/package.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using saferl::policy::DecodePackage;
  using saferl::policy::EncodePackage;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  for (const bool reseal : {false, true}) {
    if (reseal) {
      if (size < 24 + 32) break;
      const uint64_t total = size;
      std::memcpy(bytes.data() + 16, &total, sizeof total);
      const saferl::Sha256Digest digest =
          saferl::Sha256Of(std::string_view(bytes).substr(0, size - 32));
      std::memcpy(bytes.data() + size - 32, digest.data(), digest.size());
    }
    const auto spec = DecodePackage(bytes, "fuzz");
    if (!spec.ok()) continue;
    const auto again = EncodePackage(*spec);
    if (!again.ok() || *again != bytes) std::abort();
  }
  return 0;
}
