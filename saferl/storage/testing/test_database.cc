#include "saferl/storage/testing/test_database.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "saferl/base/file.h"
#include "saferl/base/text.h"
#include "saferl/storage/testing/postgres_server.h"

namespace saferl::storage::testing {

TestDatabase::TestDatabase(const std::string& kind) { status_ = Make(kind); }

TestDatabase::~TestDatabase() {
  std::error_code ignored;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

Status TestDatabase::Make(const std::string& kind) {
  options_.wait_s = 30;  // a test is about what happens, not about how busy the machine is
  if (kind == "postgresql") {
    SAFERL_ASSIGN_OR_RETURN(PostgresServer * server, PostgresServer::Shared());
    SAFERL_ASSIGN_OR_RETURN(options_.url, server->NewDatabase());
    options_.password = PostgresServer::kPassword;
    return absl::OkStatus();
  }
  if (kind != "sqlite") return absl::InvalidArgumentError(Cat("no kind of database: ", kind));
  std::string directory = std::filesystem::temp_directory_path() / "saferl-rows-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) return ErrnoStatus(errno, directory, "cannot make");
  directory_ = directory;
  options_.url = Cat("sqlite:", directory_, "/rows.db");
  return absl::OkStatus();
}

StatusOr<std::unique_ptr<Database>> TestDatabase::Open() const {
  SAFERL_RETURN_IF_ERROR(status_);
  return OpenDatabase(options_);
}

}  // namespace saferl::storage::testing
