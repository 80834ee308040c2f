#include "saferl/storage/testing/temporary_directory.h"

#include <stdlib.h>

#include <cstdio>
#include <filesystem>

namespace saferl::storage::testing {

TemporaryDirectory::TemporaryDirectory(const std::string& name)
    : path_((std::filesystem::temp_directory_path() / ("saferl_" + name + "_XXXXXX")).string()) {
  if (::mkdtemp(path_.data()) == nullptr) {
    std::perror(path_.c_str());
    std::abort();
  }
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace saferl::storage::testing
