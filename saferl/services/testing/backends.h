#pragma once
// The stores that a test of a service runs on, of either kind and empty for each test. For tests.
//
//   class MyTest : public testing::TestWithParam<const char*> {
//     Backends stores_{GetParam()};
//   };
//   INSTANTIATE_TEST_SUITE_P(Stores, MyTest, testing::ValuesIn(kBackends), NameOfBackends);
//
// "local": SQLite, a directory and the cache in process, what `saferl up` runs on. "servers": a
// database of PostgreSQL, a bucket of S3 and Redis, real servers that are started once per test
// program. A test that pauses or kills servers brings its own. RT: no.

#include <memory>
#include <string>

#include "saferl/services/config.h"
#include "saferl/storage/database.h"
#include "saferl/storage/objects.h"
#include "saferl/storage/testing/postgres_server.h"
#include "saferl/storage/testing/redis_server.h"
#include "saferl/storage/testing/s3_server.h"
#include "saferl/storage/testing/temporary_directory.h"

namespace saferl::services {

inline constexpr const char* kBackends[] = {"local", "servers"};
inline constexpr auto NameOfBackends = [](const auto& kind) { return std::string(kind.param); };

/// Each must outlive the tests that run on it.
struct Servers {
  storage::testing::PostgresServer* rows = nullptr;
  storage::testing::S3Server* objects = nullptr;
  storage::testing::RedisServer* cache = nullptr;
  /// Those of this program, started when first asked for.
  static StatusOr<Servers> Shared();
};

class Backends {
 public:
  explicit Backends(const std::string& kind);
  explicit Backends(const Servers& servers);

  /// Why they could not be made, where they could not.
  const Status& status() const { return status_; }
  bool on_servers() const { return on_servers_; }
  /// data_dir, there.
  const std::string& folder() const { return folder_.path(); }
  /// A service on these stores: free ports of this machine, no robot's shared memory.
  const ServiceConfig& config() const { return config_; }
  /// The same stores, for what a test does beside the service.
  StatusOr<std::unique_ptr<storage::Database>> OpenDatabase() const;
  StatusOr<std::unique_ptr<storage::Objects>> OpenObjects() const;

 private:
  Status UseServers(const Servers& servers);
  storage::testing::TemporaryDirectory folder_{"service"};
  ServiceConfig config_;
  bool on_servers_ = false;
  Status status_;
};

}  // namespace saferl::services
