#pragma once
// Where the logs of a service go: the specification's places when they can be written, else the
// user's own state directory.
//
//   application  /opt/safe-rl/<environment>/logs   what a service logs
//   system       /var/log/safe_rl                  what the machine's own units log
//   audit        /opt/safe-rl/audit                who did what (hash-chained by its writer)
//   otherwise    $XDG_STATE_HOME/saferl/<place> or ~/.local/state/saferl/<place>
//
// Lines are base/log.h's: one JSON object each, rotated by size. RT: no.
// Errors: kUnavailable when no directory can be written.

#include <cstdint>
#include <string>
#include <string_view>

#include "saferl/base/log.h"
#include "saferl/base/status.h"

namespace saferl::telemetry {

enum class LogPlace : uint8_t { kApplication, kSystem, kAudit };

struct LogSettings {
  std::string output = "stderr";  ///< or "file"
  LogLevel level = LogLevel::kInfo;
  std::string directory;  ///< of application logs; empty: the places above
  std::string environment = "edge";
  double max_mib = 64;
  int old_files = 5;

  template <class V>
  static void Visit(V& v, LogSettings& s) {
    v.Field("output", s.output, {.doc = "where lines go", .names = {"stderr", "file"}});
    v.Field("level", s.level,
            {.doc = "the least that is logged", .names = {"debug", "info", "warning", "error"}});
    v.Field("directory", s.directory, {.doc = "directory of log files; empty: the usual places"});
    v.Field("environment", s.environment, {.doc = "part of the path under /opt/safe-rl"});
    v.Field("max_mib", s.max_mib,
            {.doc = "size at which a file is rotated", .unit = "MiB", .min = 0.01, .max = 4096});
    v.Field("old_files", s.old_files, {.doc = "rotated files kept", .min = 1, .max = 100});
  }
};

/// The first directory of `place` that exists or can be made, and can be written. `root` is put
/// before /opt and /var (tests).
StatusOr<std::string> LogDirectory(LogPlace place, std::string_view environment,
                                   std::string_view root = "");

/// Configures base/log.h; returns the file, or "" for standard error.
StatusOr<std::string> OpenLog(const LogSettings& settings, std::string_view service);

}  // namespace saferl::telemetry
