#include "saferl/services/inference/model_source.h"

#include <algorithm>
#include <filesystem>

#include "saferl/base/file.h"
#include "saferl/base/text.h"
#include "saferl/policy/package.h"
#include "saferl/services/inference/model_host.h"

namespace saferl::services {
namespace {

namespace fs = std::filesystem;

class Folder final : public ModelSource {
 public:
  explicit Folder(std::string folder) : folder_(std::move(folder)) {}

  StatusOr<std::vector<std::string>> Names() override {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_, error)) {
      if (entry.is_directory()) names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  StatusOr<std::vector<std::string>> Versions(const std::string& name) override {
    std::vector<std::string> versions;
    std::error_code error;
    if (IsModelName(name)) {
      for (const auto& entry : fs::directory_iterator(folder_ / name, error)) {
        if (entry.path().extension() == ".policy") versions.push_back(entry.path().stem().string());
      }
    }
    if (versions.empty())
      return absl::NotFoundError(
          Cat("model '", name.substr(0, 128), "' has no NAME/VERSION.policy in the models folder"));
    std::sort(versions.begin(), versions.end());
    return versions;
  }

  StatusOr<std::string> Read(const std::string& name, const std::string& version) override {
    if (!IsModelName(name) || !IsModelName(version))
      return absl::InvalidArgumentError("model and version are of A-Z a-z 0-9 . _ -; rename it");
    return ReadFile((folder_ / name / (version + ".policy")).string(), policy::kMaxPackageBytes);
  }

 private:
  fs::path folder_;
};

}  // namespace

std::unique_ptr<ModelSource> FolderSource(const std::string& folder) {
  return std::make_unique<Folder>(folder);
}

}  // namespace saferl::services
