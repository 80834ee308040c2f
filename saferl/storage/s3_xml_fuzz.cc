// Any bytes: a page whose texts came from the input, or an error that says where.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "saferl/storage/s3_xml.h"

namespace {

size_t Size(const saferl::storage::XmlElement& element) {
  size_t size = element.name.size() + element.text.size();
  for (const auto& child : element.children) size += Size(child);
  return size;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto element = saferl::storage::ParseXml(text);
  if (element.ok() && Size(*element) > size) std::abort();
  const auto page = saferl::storage::ParseS3Page(text);
  if (page.ok() && !element.ok()) std::abort();
  if (!page.ok() && page.status().message().empty()) std::abort();
  return 0;
}
