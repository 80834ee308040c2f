#pragma once
// A real PostgreSQL server for tests: its own data directory below the temporary directory, a free
// port of 127.0.0.1 and a socket, as an unprivileged user when the test is root (the server refuses
// root). Ended with its object; killed by the kernel when the test's thread that started it dies.
//
//   StatusOr<PostgresServer*> server = PostgresServer::Shared();   // one for the whole program
//   StatusOr<std::string> url = (*server)->NewDatabase();
//   OpenDatabase({.url = *url, .password = PostgresServer::kPassword});
//
// A test that pauses, kills or restarts a server starts one of its own. RT: no.

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::storage::testing {

class PostgresServer {
 public:
  static constexpr const char* kPassword = "a password with spaces & signs";

  struct Options {
    bool fsync = false;  ///< true to measure; a killed server loses nothing without either
    bool tls = false;    ///< with a certificate for 127.0.0.1, see ca_file()
    std::vector<std::string> settings{};  ///< "name=value" of postgresql.conf
  };
  static StatusOr<std::unique_ptr<PostgresServer>> Start(const Options& options);
  /// Made at the first call, ended when the program ends.
  static StatusOr<PostgresServer*> Shared();
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  /// Makes an empty database and returns its URL.
  StatusOr<std::string> NewDatabase();
  /// The URL of a database; `query` is appended as it is ("?sslmode=require").
  std::string Url(const std::string& database = "postgres", const std::string& query = "") const;
  const std::string& socket_directory() const { return directory_; }
  int port() const { return port_; }
  std::string ca_file() const { return directory_ + "/server.crt"; }

  void Pause();  ///< every process of the server stands still; its sockets stay open
  void Resume();
  void Kill();      ///< kill -9 of every process
  Status Launch();  ///< after Kill or Stop; waits until it answers
  void Stop();      ///< orderly, ends the sessions

 private:
  PostgresServer(std::string directory, Options options)
      : directory_(std::move(directory)), options_(std::move(options)) {}
  Status Initialize();
  Status MakeCertificate();
  std::vector<pid_t> Processes() const;
  void Signal(int signal) const;
  void WaitUntilGone(const std::vector<pid_t>& processes);

  const std::string directory_;
  const Options options_;
  int port_ = 0;
  pid_t pid_ = -1;
  int databases_ = 0;
};

}  // namespace saferl::storage::testing
