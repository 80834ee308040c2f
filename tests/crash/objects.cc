#include "tests/crash/objects.h"

#include <filesystem>
#include <vector>

#include "saferl/base/hash.h"
#include "saferl/base/text.h"

namespace saferl::crash {
namespace {

/// Up to 20 kB that follow from the number and are no other's.
std::string ContentOf(int64_t id) {
  std::string out = Cat("object ", id, "\n");
  const size_t size = out.size() + static_cast<size_t>(id * 7919 % 20'000);
  for (size_t i = out.size(); i < size; ++i) {
    out += static_cast<char>(static_cast<size_t>(id) * 31 + i);
  }
  return out;
}

/// Below the directory, two levels that the store has to make.
std::string Root(const std::string& directory) { return Cat(directory, "/new/objects"); }

}  // namespace

StatusOr<std::unique_ptr<storage::Objects>> OpenObjects(const std::string& directory) {
  return storage::OpenObjects({.url = Cat("dir:", Root(directory))});
}

Status AddObject(storage::Objects* objects, int64_t id) {
  return objects->Put(ContentOf(id)).status();
}

Status VerifyObjects(const std::string& directory, const std::set<uint64_t>& acknowledged) {
  SAFERL_ASSIGN_OR_RETURN(const auto objects, OpenObjects(directory));
  if (!std::filesystem::is_empty(Root(directory) + "/tmp")) {
    return absl::InternalError("a temporary file was left behind");
  }
  std::vector<std::string> listed;
  SAFERL_RETURN_IF_ERROR(
      objects->List([&](std::string_view sha256, uint64_t) { listed.emplace_back(sha256); }));
  for (const std::string& sha256 : listed) {
    SAFERL_RETURN_IF_ERROR(objects->Get(sha256).status());
  }
  const std::set<std::string> there(listed.begin(), listed.end());
  for (const uint64_t id : acknowledged) {
    if (!there.contains(Sha256Hex(ContentOf(static_cast<int64_t>(id))))) {
      return absl::DataLossError(Cat("object ", id, ": acknowledged and lost"));
    }
  }
  SAFERL_RETURN_IF_ERROR(objects->Put("after the crash").status());
  return objects->Check();
}

}  // namespace saferl::crash
