// Any bytes as an OpenSSF Model Signing bundle: refused with a message, or a bundle that is written
// and read again as the same, whose payload is judged without a crash.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "saferl/registry/bundle.h"
#include "saferl/registry/signing.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace saferl::registry;  // NOLINT(google-build-using-namespace): one function
  const auto require = [](bool holds) {
    if (!holds) std::abort();
  };
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto signature = ReadBundle(text);
  require(signature.ok() || !signature.status().message().empty());
  const auto bundle = ParseBundle(text);
  require(bundle.ok() || !bundle.status().message().empty());
  const std::string digest(64, 'a');
  const auto any = CheckStatement(text, digest);  // any bytes as the signed statement too
  require(any.ok() || !any.message().empty());
  if (!bundle.ok()) return 0;
  const auto again = ParseBundle(WriteBundle(*bundle));
  require(again.ok() && *again == *bundle);
  const auto checked = CheckStatement(bundle->payload, digest);
  require(checked.ok() || !checked.message().empty());
  return 0;
}
