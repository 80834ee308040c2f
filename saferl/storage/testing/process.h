#pragma once
// A server that a test starts, pauses and kills; certificates for it. RT: no.

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/storage/testing/child_process.h"

namespace saferl::storage::testing {

class Process {
 public:
  static StatusOr<std::unique_ptr<Process>> Start(const std::vector<std::string>& argv,
                                                  const ChildOptions& options);
  ~Process() { Kill(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void Kill();     ///< SIGKILL, and waits until it is gone
  void Pause();    ///< SIGSTOP, and waits until it stands still
  void Resume();   ///< SIGCONT
  bool running();  ///< false as well once it has ended by itself

 private:
  explicit Process(pid_t pid) : pid_(pid) {}
  pid_t pid_;
};

/// Certificates made by the openssl program: two CAs that do not know each other, a server for
/// 127.0.0.1 and localhost, and a client, both under the first.
struct Certificates {
  std::string ca, other_ca, server_cert, server_key, client_cert, client_key;
  static StatusOr<Certificates> Make(const std::string& directory);
};

}  // namespace saferl::storage::testing
