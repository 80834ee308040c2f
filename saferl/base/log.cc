#include "saferl/base/log.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <ctime>
#include <memory>
#include <mutex>

#include "saferl/base/clock.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"

namespace saferl {
namespace {

constinit thread_local LogScope* current_scope = nullptr;

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

/// The process's one logger; replaced as a whole by ConfigureLog.
class Output {
 public:
  static Output& Get() {
    static Output output;
    return output;
  }
  std::shared_ptr<spdlog::logger> logger() {
    const std::lock_guard lock(mutex_);
    return logger_;
  }
  void Replace(spdlog::sink_ptr sink, LogLevel level) {
    auto logger = std::make_shared<spdlog::logger>("saferl", std::move(sink));
    logger->set_pattern("%v");
    logger->set_level(ToSpdlog(level));
    logger->flush_on(spdlog::level::trace);  // who reads a log reads it now
    const std::lock_guard lock(mutex_);
    if (logger_ != nullptr) logger_->flush();
    logger_ = std::move(logger);
  }

 private:
  Output() { Replace(std::make_shared<spdlog::sinks::stderr_sink_mt>(), LogLevel::kInfo); }
  std::mutex mutex_;
  std::shared_ptr<spdlog::logger> logger_;
};

std::string UtcText(int64_t wall_ns) {
  const time_t seconds = static_cast<time_t>(wall_ns / kNanosPerSecond);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     wall_ns % kNanosPerSecond / 1000);
}

}  // namespace

std::string_view Name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

LogField::LogField(std::string_view key, std::string_view text)
    : key_(key), json_(JsonWriter().Value(text).Take()) {}
LogField::LogField(std::string_view key, double number)
    : key_(key), json_(JsonWriter().Value(number).Take()) {}
LogField::LogField(Tag, std::string_view key, int64_t number, bool is_truth)
    : key_(key), json_(is_truth ? Cat(number != 0) : Cat(number)) {}

Status ConfigureLog(const LogOptions& options) {
  try {
    if (options.path.empty()) {
      Output::Get().Replace(std::make_shared<spdlog::sinks::stderr_sink_mt>(), options.level);
    } else {
      Output::Get().Replace(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
                                options.path, options.max_bytes, options.old_files),
                            options.level);
    }
    return absl::OkStatus();
  } catch (const spdlog::spdlog_ex& error) {
    return absl::UnavailableError(
        Cat(options.path, ": cannot log there: ", error.what(), "; choose another file"));
  }
}

LogScope::LogScope(std::string_view request_id, std::string_view trace_id)
    : request_id_(request_id), trace_id_(trace_id), outer_(current_scope) {
  current_scope = this;
}
LogScope::~LogScope() { current_scope = outer_; }

std::string LogLine(LogLevel level, int64_t wall_ns, std::string_view message,
                    std::initializer_list<LogField> fields) {
  JsonWriter line;
  line.BeginObject()
      .Field("time", UtcText(wall_ns))
      .Field("level", Name(level))
      .Field("message", message);
  if (const LogScope* scope = current_scope) {
    if (!scope->request_id_.empty()) line.Field("request_id", scope->request_id_);
    if (!scope->trace_id_.empty()) line.Field("trace_id", scope->trace_id_);
  }
  for (const LogField& field : fields) line.Key(field.key()).Raw(field.json());
  return line.EndObject().Take();
}

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  const std::shared_ptr<spdlog::logger> logger = Output::Get().logger();
  if (!logger->should_log(ToSpdlog(level))) return;
  const std::string line = LogLine(level, WallNanos(), message, fields);
  logger->log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace saferl
