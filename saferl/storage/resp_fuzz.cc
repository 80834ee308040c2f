// Any bytes, cut anywhere: answers within the limits, or an error.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "saferl/storage/resp.h"

namespace {

size_t Size(const saferl::storage::RespValue& value) {
  size_t size = value.text.size() + 1;
  for (const auto& element : value.elements) size += Size(element);
  return size;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const size_t cut = 1 + data[0] % 64;
  saferl::storage::RespReader reader;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(cut, bytes.size()))) {
    reader.Feed(bytes.substr(0, cut));
    while (true) {
      const auto next = reader.Next();
      if (!next.ok()) return 0;
      if (!next->has_value()) break;
      if (Size(**next) > 1024 * size + 1) std::abort();
    }
  }
  return 0;
}
