#include "saferl/telemetry/logs.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "saferl/base/text.h"

namespace saferl::telemetry {
namespace {

bool CanWrite(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  return ::access(directory.c_str(), W_OK | X_OK) == 0 &&
         std::filesystem::is_directory(directory, error);
}

std::string StateDirectory() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && state[0] == '/') {
    return Cat(std::string_view(state), "/saferl");
  }
  const char* home = std::getenv("HOME");
  return home == nullptr ? "" : Cat(std::string_view(home), "/.local/state/saferl");
}

}  // namespace

StatusOr<std::string> LogDirectory(LogPlace place, std::string_view environment,
                                   std::string_view root) {
  const std::string_view name = place == LogPlace::kApplication ? "logs"
                                : place == LogPlace::kSystem    ? "system"
                                                                : "audit";
  std::vector<std::string> tried;
  tried.push_back(place == LogPlace::kApplication ? Cat(root, "/opt/safe-rl/", environment, "/logs")
                  : place == LogPlace::kSystem    ? Cat(root, "/var/log/safe_rl")
                                                  : Cat(root, "/opt/safe-rl/audit"));
  if (const std::string state = StateDirectory(); !state.empty()) {
    tried.push_back(Cat(state, "/", name));
  }
  for (const std::string& directory : tried) {
    if (CanWrite(directory)) return directory;
  }
  return absl::UnavailableError(Cat("logs: cannot write in ", Join(tried, " or "),
                                    "; make one of them writable or set logs.directory"));
}

StatusOr<std::string> OpenLog(const LogSettings& settings, std::string_view service) {
  LogOptions options{.level = settings.level,
                     .path = "",
                     .max_bytes = static_cast<size_t>(settings.max_mib * 1024 * 1024),
                     .old_files = static_cast<size_t>(settings.old_files)};
  if (settings.output == "file") {
    std::string directory = settings.directory;
    if (directory.empty()) {
      SAFERL_ASSIGN_OR_RETURN(directory,
                              LogDirectory(LogPlace::kApplication, settings.environment));
    } else if (!CanWrite(directory)) {
      return absl::UnavailableError(
          Cat("logs.directory: cannot write in ", directory, "; make it writable or leave it out"));
    }
    options.path = Cat(directory, "/", service, ".log");
  }
  SAFERL_RETURN_IF_ERROR(ConfigureLog(options));
  return options.path;
}

}  // namespace saferl::telemetry
