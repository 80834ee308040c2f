#pragma once
// A fresh, empty database of either kind for one test, and the same one opened again.
//
//   class MyTest : public testing::TestWithParam<const char*> {
//     storage::testing::TestDatabase database_{GetParam()};   // "sqlite" or "postgresql"
//   };
// RT: no.

#include <memory>
#include <string>

#include "saferl/base/status.h"
#include "saferl/storage/database.h"

namespace saferl::storage::testing {

class TestDatabase {
 public:
  explicit TestDatabase(const std::string& kind);
  ~TestDatabase();
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  /// Why it could not be made, where it could not.
  const Status& status() const { return status_; }
  const DatabaseOptions& options() const { return options_; }
  StatusOr<std::unique_ptr<Database>> Open() const;

 private:
  Status Make(const std::string& kind);
  Status status_;
  std::string directory_;
  DatabaseOptions options_;
};

}  // namespace saferl::storage::testing
