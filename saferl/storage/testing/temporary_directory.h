#pragma once
// A directory of this test's own, gone with the object. RT: no.

#include <string>

namespace saferl::storage::testing {

class TemporaryDirectory {
 public:
  /// Aborts when none can be made: a test without one proves nothing.
  explicit TemporaryDirectory(const std::string& name);
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace saferl::storage::testing
