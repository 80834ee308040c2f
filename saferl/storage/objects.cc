#include "saferl/storage/objects.h"

#include <algorithm>

#include "saferl/base/text.h"
#include "saferl/storage/objects_directory.h"
#include "saferl/storage/objects_s3.h"

namespace saferl::storage {

bool IsDigest(std::string_view text) {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

StatusOr<std::unique_ptr<Objects>> OpenObjects(const ObjectsOptions& options) {
  constexpr std::string_view kDirectory = "dir:";
  if (options.url.starts_with(kDirectory)) return OpenObjectsDirectory(options);
  if (options.url.starts_with("s3://")) return OpenObjectsS3(options);
  return absl::InvalidArgumentError(
      Cat("objects url: '", options.url, "' is no store; give dir:PATH or s3://BUCKET/PREFIX"));
}

}  // namespace saferl::storage
