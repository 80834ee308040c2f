#pragma once
// ModelSource: the versions of one model that are to be served, as ModelHost::LoadAll takes them.
//
// Errors: kNotFound for a model or version that is not there; what a store says. RT: no.

#include <cstdint>
#include <string>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::services {

enum class ModelFormat : uint8_t { kPackage, kOnnx };

class ModelSource {
 public:
  virtual ~ModelSource() = default;
  /// Versions that are to be served, in any order.
  virtual StatusOr<std::vector<std::string>> Versions(const std::string& name) = 0;
  /// What `Read` gives, of every version.
  virtual ModelFormat format() const { return ModelFormat::kPackage; }
  /// The file's bytes.
  virtual StatusOr<std::string> Read(const std::string& name, const std::string& version) = 0;
};

}  // namespace saferl::services
