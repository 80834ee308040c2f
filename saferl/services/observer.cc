#include "saferl/services/observer.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "saferl/base/clock.h"
#include "saferl/base/log.h"
#include "saferl/net/http_client.h"
#include "saferl/telemetry/logs.h"

namespace saferl::services {
namespace {

void LogAccess(const std::string& service, const net::RequestRecord& record) {
  const net::Request& request = *record.request;
  Log(record.status >= 500 ? LogLevel::kWarning : LogLevel::kInfo, "request",
      {{"service", service},
       {"method", net::Name(request.method)},
       {"path", request.path},
       {"route", record.route == nullptr ? "" : record.route->pattern},
       {"status", record.status},
       {"sent_bytes", record.sent_bytes},
       {"ms", 1e-6 * static_cast<double>(record.duration_ns)},
       {"peer", request.peer},
       {"request", request.request_id},
       {"trace", request.trace_id}});
}

/// Lets kMostLines through in a second and counts the others.
class LineLimit {
 public:
  static constexpr int64_t kMostLines = 20;
  /// `*held`: lines of the second before that were not let through; told once.
  bool Pass(int64_t now_ns, int64_t* held) {
    const int64_t second = now_ns / kNanosPerSecond;
    int64_t before = second_.load(std::memory_order_relaxed);
    if (before != second && second_.compare_exchange_strong(before, second)) {
      const int64_t lines = lines_.exchange(0, std::memory_order_relaxed);
      *held = std::max<int64_t>(lines - kMostLines, 0);
    }
    return lines_.fetch_add(1, std::memory_order_relaxed) < kMostLines;
  }

 private:
  std::atomic<int64_t> second_{0}, lines_{0};
};

}  // namespace

std::function<void(const net::RequestRecord&)> MakeObserver(const ObserverOptions& options,
                                                            const net::Router& router) {
  using Known = std::pair<const net::Route*, telemetry::HttpMetrics::Route*>;
  std::vector<Known> known;
  for (const auto& route : router.routes())
    known.emplace_back(route.get(),
                       &options.metrics->ForRoute(net::Name(route->method), route->pattern));
  std::ranges::sort(known);
  telemetry::HttpMetrics::Route* none = &options.metrics->ForRoute("none", "none");
  const auto limit = std::make_shared<LineLimit>();
  return [options, none, limit, known = std::move(known)](const net::RequestRecord& record) {
    const bool stays_open =
        record.route != nullptr && (record.route->websocket || record.route->events);
    if (options.counts != nullptr && !stays_open)
      options.counts->Count(record.status, record.duration_ns, options.slow_s);
    const auto at = std::ranges::lower_bound(known, record.route, {}, &Known::first);
    telemetry::HttpMetrics::Route* route =
        at != known.end() && at->first == record.route ? at->second : none;
    route->duration.Observe(1e-9 * static_cast<double>(record.duration_ns));
    route->requests.Add(record.status);
    options.metrics->sent_bytes.Add(record.sent_bytes);
    if (record.request == nullptr) return;
    if (options.tracer != nullptr) options.tracer->Record(record);
    const bool wrong =
        record.status >= 500 ||
        (!stays_open && 1e-9 * static_cast<double>(record.duration_ns) > options.slow_s);
    if (options.access_log == AccessLog::kAll) return LogAccess(options.service, record);
    if (options.access_log == AccessLog::kOff || !wrong) return;
    int64_t held = 0;
    if (limit->Pass(Nanos(), &held)) LogAccess(options.service, record);
    if (held > 0)
      Log(LogLevel::kWarning, "more requests failed or were late than lines are logged",
          {{"service", options.service}, {"not_logged", held}});
  };
}

void ShowConnections(const std::shared_ptr<net::HttpServer>& server, telemetry::Metrics* metrics,
                     telemetry::HttpMetrics* http) {
  const auto told = std::make_shared<std::atomic<uint64_t>>(0);
  metrics->OnScrape([of = std::weak_ptr(server), http, told] {
    const std::shared_ptr<net::HttpServer> running = of.lock();
    if (running == nullptr) return;
    const net::ServerCounters now = running->counters();
    http->connections.Set(static_cast<double>(now.open));
    const uint64_t refused = now.refused + now.pool_full + now.control_full;
    const uint64_t before = told->exchange(refused);
    if (refused > before) http->rejected.Add(refused - before);
  });
}

StatusOr<std::unique_ptr<telemetry::Tracer>> MakeTracer(const ServiceConfig& config,
                                                        telemetry::Metrics& metrics) {
  SAFERL_ASSIGN_OR_RETURN(
      telemetry::TracerOptions options,
      telemetry::TracerOptions::FromEnvironment("saferl", config.telemetry.otlp_endpoint));
  if (options.url.empty()) return nullptr;
  SAFERL_RETURN_IF_ERROR(net::HttpClient::Available());
  return std::make_unique<telemetry::Tracer>(std::move(options), metrics);
}

Status OpenLogOf(const ServiceConfig& config, std::string_view program) {
  const TelemetryConfig& t = config.telemetry;
  telemetry::LogSettings settings;
  settings.level = t.log_level;
  settings.output = t.log_dir.empty() ? "stderr" : "file";
  settings.directory = t.log_dir == "auto" ? "" : t.log_dir;
  constexpr const char* kFolders[] = {"development", "production", "edge"};
  settings.environment = kFolders[static_cast<size_t>(config.environment)];
  return telemetry::OpenLog(settings, program).status();
}

}  // namespace saferl::services
