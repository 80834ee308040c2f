#pragma once
// Who listens where on this machine, from /proc. Other users' processes are seen only by root.
// RT: no. Errors: kNotFound, kPermissionDenied, naming the process or port.

#include <vector>

#include "saferl/base/status.h"

namespace saferl::cli {

/// The TCP ports on which a process listens; at least one.
StatusOr<std::vector<int>> PortsOf(int pid);
/// The process that listens on a TCP port.
StatusOr<int> ProcessOn(int port);

}  // namespace saferl::cli
