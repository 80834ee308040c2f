#include "saferl/storage/testing/redis_server.h"

#include <vector>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/text.h"

namespace saferl::storage::testing {

StatusOr<std::unique_ptr<RedisServer>> RedisServer::Start(const Options& options) {
  std::unique_ptr<RedisServer> server(new RedisServer(options));
  SAFERL_ASSIGN_OR_RETURN(server->port_, FreePort());
  const std::string& folder = server->directory_.path();
  std::string config =
      Cat("bind 127.0.0.1 127.0.0.2\nsave \"\"\nappendonly no\ndir ", folder, "\n");
  if (options.tls) {
    SAFERL_ASSIGN_OR_RETURN(server->certificates_, Certificates::Make(folder));
    const Certificates& files = server->certificates_;
    config += Cat("port 0\ntls-port ", server->port_, "\ntls-cert-file ", files.server_cert,
                  "\ntls-key-file ", files.server_key, "\ntls-ca-cert-file ", files.ca,
                  "\ntls-auth-clients yes\ntls-protocols TLSv1.3\n");
  } else {
    config += Cat("port ", server->port_, "\n");
  }
  if (!options.user.empty()) {
    config += Cat("user default off\nuser ", options.user, " on >", options.password,
                  " ~app:* &app:* -@all +get +set +del +incrby +pexpire +multi +exec +publish "
                  "+subscribe +unsubscribe +ping +select\n");
  }
  SAFERL_RETURN_IF_ERROR(WriteFileAtomic(Cat(folder, "/redis.conf"), config));
  SAFERL_RETURN_IF_ERROR(server->Restart());
  return server;
}

StatusOr<RedisServer*> RedisServer::Shared() {
  static StatusOr<std::unique_ptr<RedisServer>> shared =
      Start({.user = "saferl", .password = "a-password"});
  if (!shared.ok()) return shared.status();
  return shared->get();
}

Status RedisServer::Restart() {
  const std::string& folder = directory_.path();
  process_.reset();
  SAFERL_ASSIGN_OR_RETURN(process_,
                          Process::Start({"/usr/bin/redis-server", Cat(folder, "/redis.conf")},
                                         {.log = Cat(folder, "/log")}));
  const Deadline patience = Deadline::After(20 * kNanosPerSecond);
  while (process_->running() && !patience.Passed()) {
    const StatusOr<std::unique_ptr<Cache>> cache = OpenCache(options());
    if (!cache.ok()) return cache.status();
    if ((*cache)->Check().ok()) return absl::OkStatus();
  }
  return absl::InternalError(Cat("redis-server did not start (tools/install_deps test): ",
                                 ReadFile(Cat(folder, "/log")).value_or("")));
}

CacheOptions RedisServer::options() const {
  CacheOptions options{.url = Cat(options_.tls ? "rediss" : "redis", "://127.0.0.1:", port_, "/0")};
  options.user = options_.user;
  options.password = options_.password;
  if (options_.tls) {
    options.ca_file = certificates_.ca;
    options.cert_file = certificates_.client_cert;
    options.key_file = certificates_.client_key;
  }
  return options;
}

}  // namespace saferl::storage::testing
