#pragma once
// ModelSource: where model packages are kept, as the host sees it. FolderSource reads
// folder/NAME/VERSION.policy; a registry is another source.
//
// Errors: kNotFound for a model or version that is not there; what a file or store says. RT: no.

#include <memory>
#include <string>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::services {

class ModelSource {
 public:
  virtual ~ModelSource() = default;
  virtual StatusOr<std::vector<std::string>> Names() = 0;
  /// Versions that are to be served, in any order.
  virtual StatusOr<std::vector<std::string>> Versions(const std::string& name) = 0;
  /// The package's bytes.
  virtual StatusOr<std::string> Read(const std::string& name, const std::string& version) = 0;
};

/// A folder that is not there has no models.
std::unique_ptr<ModelSource> FolderSource(const std::string& folder);

}  // namespace saferl::services
