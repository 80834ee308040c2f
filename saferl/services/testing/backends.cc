#include "saferl/services/testing/backends.h"

#include "saferl/base/text.h"
#include "saferl/services/stores.h"

namespace saferl::services {

using storage::testing::PostgresServer;
using storage::testing::RedisServer;
using storage::testing::S3Server;

StatusOr<Servers> Servers::Shared() {
  Servers servers;
  SAFERL_ASSIGN_OR_RETURN(servers.rows, PostgresServer::Shared());
  servers.objects = &S3Server::Shared();
  SAFERL_ASSIGN_OR_RETURN(servers.cache, RedisServer::Shared());
  return servers;
}

Backends::Backends(const std::string& kind) {
  config_.data_dir = folder();
  config_.api.port = config_.inference_server.port = config_.monitor_server.port = 0;
  config_.monitor.shm = "off";
  if (kind == "local") return;
  if (kind != "servers") {
    status_ = absl::InvalidArgumentError(Cat("no kind of backends: ", kind));
    return;
  }
  const StatusOr<Servers> servers = Servers::Shared();
  status_ = servers.ok() ? UseServers(*servers) : servers.status();
}

Backends::Backends(const Servers& servers) : Backends("local") { status_ = UseServers(servers); }

Status Backends::UseServers(const Servers& servers) {
  on_servers_ = true;
  SAFERL_ASSIGN_OR_RETURN(const std::string url, servers.rows->NewDatabase());
  config_.database.host = "127.0.0.1";
  config_.database.port = servers.rows->port();
  config_.database.name = url.substr(url.rfind('/') + 1);
  config_.database.user = "saferl";
  config_.database.password = PostgresServer::kPassword;
  config_.database.ssl_mode = "disable";
  const storage::ObjectsOptions bucket = servers.objects->NewBucket();
  config_.objects.bucket = bucket.url.substr(std::string_view("s3://").size());
  config_.objects.endpoint = bucket.endpoint;
  config_.objects.region = bucket.region;
  config_.objects.access_key_id = bucket.access_key_id;
  config_.objects.secret_access_key = bucket.secret_access_key;
  config_.redis.host = "127.0.0.1";
  config_.redis.port = servers.cache->port();
  config_.redis.user = servers.cache->options().user;
  config_.redis.password = servers.cache->options().password;
  return absl::OkStatus();
}

StatusOr<std::unique_ptr<storage::Database>> Backends::OpenDatabase() const {
  SAFERL_RETURN_IF_ERROR(status_);
  storage::DatabaseOptions options = RowsOf(config_);
  options.wait_s = 30;  // a test is about what happens, not about how busy the machine is
  return storage::OpenDatabase(options);
}

StatusOr<std::unique_ptr<storage::Objects>> Backends::OpenObjects() const {
  SAFERL_RETURN_IF_ERROR(status_);
  return storage::OpenObjects(ObjectsOf(config_));
}

}  // namespace saferl::services
