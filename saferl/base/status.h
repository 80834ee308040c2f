#pragma once
// Errors of the service plane: absl::Status and absl::StatusOr, two macros and the process exit
// codes.
//
// A message names the file, line or field, what is wrong with it, and what to do next:
//   "wheelchair.yaml:14: max_speed_m_s: -1 is below 0.05; give a speed in [0.05, 3] m/s"
// RT: no. The real-time plane returns small enums and always a usable command instead.

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace saferl {

using absl::Status;
using absl::StatusOr;

/// Process exit codes of every program (docs/cli.md): 0 done, 1 ran but the answer is "no"
/// (a violation found, a check failed), 2 bad input, 3 the environment failed (file, memory,
/// device), 4 a bug.
enum class ExitCode : int { kOk = 0, kNo = 1, kBadInput = 2, kEnvironment = 3, kInternal = 4 };

/// Maps a status to the exit code that a command-line verb returns for it.
ExitCode ToExitCode(const Status& status);

}  // namespace saferl

#define SAFERL_STATUS_CONCAT_INNER(a, b) a##b
#define SAFERL_STATUS_CONCAT(a, b) SAFERL_STATUS_CONCAT_INNER(a, b)

/// Leaves the function with the status if it is an error.
#define SAFERL_RETURN_IF_ERROR(expression)                                                      \
  do {                                                                                          \
    if (::absl::Status saferl_status = (expression); !saferl_status.ok()) return saferl_status; \
  } while (false)

/// SAFERL_ASSIGN_OR_RETURN(auto x, F()): x from a StatusOr, or leaves the function with its error.
#define SAFERL_ASSIGN_OR_RETURN(target, expression) \
  SAFERL_ASSIGN_OR_RETURN_INNER(SAFERL_STATUS_CONCAT(saferl_or_, __LINE__), target, expression)
#define SAFERL_ASSIGN_OR_RETURN_INNER(temporary, target, expression) \
  auto temporary = (expression);                                     \
  if (!temporary.ok()) return std::move(temporary).status();         \
  target = *std::move(temporary)
