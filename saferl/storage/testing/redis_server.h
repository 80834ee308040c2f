#pragma once
// A real redis-server of this test's own: free port, memory only, optionally TLS (client
// certificates demanded) and one ACL user. RT: no.

#include <memory>
#include <string>

#include "saferl/storage/cache.h"
#include "saferl/storage/testing/process.h"
#include "saferl/storage/testing/temporary_directory.h"

namespace saferl::storage::testing {

class RedisServer {
 public:
  struct Options {
    bool tls = false;
    /// The default user is off; `user` may do what Cache needs on keys of "app:" and channels of
    /// "app:", nothing else. Empty: everyone may do everything.
    std::string user = {}, password = {};
  };
  static StatusOr<std::unique_ptr<RedisServer>> Start(const Options& options);
  /// Without TLS, with a user; made at the first call, ended when the program ends. Call it from
  /// the main thread.
  static StatusOr<RedisServer*> Shared();

  /// What a client needs to reach it.
  CacheOptions options() const;
  const Certificates& certificates() const { return certificates_; }
  int port() const { return port_; }

  void Kill() { process_->Kill(); }
  void Pause() { process_->Pause(); }
  void Resume() { process_->Resume(); }
  Status Restart();  ///< on the same port, empty

 private:
  explicit RedisServer(const Options& options) : options_(options) {}
  const Options options_;
  TemporaryDirectory directory_{"redis"};
  Certificates certificates_;
  int port_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace saferl::storage::testing
