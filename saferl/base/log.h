#pragma once
// Logs: one JSON object a line on standard error or in a file, with level, time, message and
// fields.
//
//   Log(LogLevel::kWarning, "person input is stale", {{"age_ms", 412}, {"tick", tick}});
//   {"time":"2026-01-02T03:04:05.678901Z","level":"warning","message":"person input is
//   stale","age_ms":412,"tick":7}
//
// RT: no (the real-time plane leaves Decisions, control/recorder.h). Thread-safe.

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "saferl/base/status.h"

namespace saferl {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };
std::string_view Name(LogLevel level);

/// A field of a log line: a key and a text, number or truth value.
class LogField {
 public:
  LogField(std::string_view key, std::string_view text);
  LogField(std::string_view key, const char* text) : LogField(key, std::string_view(text)) {}
  LogField(std::string_view key, const std::string& text) : LogField(key, std::string_view(text)) {}
  LogField(std::string_view key, double number);
  template <std::integral I>
  LogField(std::string_view key, I number)
      : LogField(Tag(), key, static_cast<int64_t>(number), std::same_as<I, bool>) {}

  std::string_view key() const { return key_; }
  const std::string& json() const { return json_; }

 private:
  struct Tag {};
  LogField(Tag, std::string_view key, int64_t number, bool is_truth);
  std::string_view key_;
  std::string json_;
};

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  std::string path;                     ///< empty: standard error
  size_t max_bytes = size_t{64} << 20;  ///< then the file becomes <name>.1.<ext>, that one .2, ...
  size_t old_files = 5;
};
/// Where lines go and from which level on. Default: standard error, kInfo. Fails when the file
/// cannot be opened.
Status ConfigureLog(const LogOptions& options);
inline Status ConfigureLog(LogLevel level, const std::string& path_or_empty) {
  return ConfigureLog({.level = level, .path = path_or_empty});
}

/// While it lives, lines that its thread logs carry these ids (empty ones are left out). The texts
/// must outlive it. The inner of two scopes counts.
class LogScope {
 public:
  LogScope(std::string_view request_id, std::string_view trace_id);
  ~LogScope();
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;

 private:
  friend std::string LogLine(LogLevel, int64_t, std::string_view, std::initializer_list<LogField>);
  std::string_view request_id_, trace_id_;
  LogScope* outer_;
};

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

/// The line that Log writes, without the newline; for tests and other writers.
std::string LogLine(LogLevel level, int64_t wall_ns, std::string_view message,
                    std::initializer_list<LogField> fields);

}  // namespace saferl
