#pragma once
// Programs that tests start: as an unprivileged user, with a log, killed with their parent.
// RT: no. Source: prctl(2) PR_SET_PDEATHSIG.

#include <sys/types.h>

#include <string>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::storage::testing {

struct ChildOptions {
  std::string user{};       ///< run as this user when the caller is root; empty: as the caller
  std::string log{};        ///< file that gets standard output and error; empty: /dev/null
  std::string directory{};  ///< working directory; empty: the caller's
  int death_signal = 9;     ///< what it gets when the thread that started it ends
};

/// Starts argv[0] (a path). Returns its process id.
StatusOr<pid_t> StartChild(const std::vector<std::string>& argv, const ChildOptions& options);

/// Starts it and waits for its end; an exit status other than 0 is an error with the log's end.
Status RunChild(const std::vector<std::string>& argv, const ChildOptions& options);

/// A TCP port of 127.0.0.1 that was free a moment ago, below the range that the kernel gives to
/// outgoing connections, so that none of these takes it before the server does.
StatusOr<int> FreePort();

/// A user that may run servers when the caller is root: "postgres" or "nobody"; else empty.
std::string ServerUser();

/// Gives a file or directory to ServerUser(). Nothing to do when the caller is not root.
Status GiveToServerUser(const std::string& path);

}  // namespace saferl::storage::testing
