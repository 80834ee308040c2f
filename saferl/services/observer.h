#pragma once
// What every HTTP server of ours does with an answered request: metrics by route, the count behind
// the alerts, a span for the tracer and a line of the access log.
//
// Access log (telemetry.access_log): `all`, `errors` (5xx, and answers later than alerts.latency_s;
// the default) or `off`. One line at level info, or warning for what went wrong, with method, path
// (no query: it may hold what is nobody's business), route, status, bytes, time and the ids of
// request and trace. Of `errors` at most 20 lines a second, then their number: a flood of refusals
// is not answered by a flood of writes. RT: no. Threads: any. Cost without a line: about 0.2 us.

#include <functional>
#include <memory>
#include <string>

#include "saferl/net/http_server.h"
#include "saferl/services/config.h"
#include "saferl/services/monitor/alert_rules.h"
#include "saferl/telemetry/catalogue.h"
#include "saferl/telemetry/trace.h"

namespace saferl::services {

struct ObserverOptions {
  std::string service;  ///< "api", "inference", "monitor"
  telemetry::HttpMetrics* metrics = nullptr;
  ServiceCounts* counts = nullptr;      ///< or none
  telemetry::Tracer* tracer = nullptr;  ///< or none
  AccessLog access_log = AccessLog::kErrors;
  double slow_s = 2;
};

/// All that the options point to, and the router, must outlive the server.
std::function<void(const net::RequestRecord&)> MakeObserver(const ObserverOptions& options,
                                                            const net::Router& router);

/// From now on a scrape shows the server's open connections and what it refused.
void ShowConnections(const std::shared_ptr<net::HttpServer>& server, telemetry::Metrics* metrics,
                     telemetry::HttpMetrics* http);

/// The tracer that the configuration asks for; null: no endpoint. kInvalidArgument names the
/// setting.
StatusOr<std::unique_ptr<telemetry::Tracer>> MakeTracer(const ServiceConfig& config,
                                                        telemetry::Metrics& metrics);

/// Lets this process log where the configuration says; before anything is started. `program` names
/// the file.
Status OpenLogOf(const ServiceConfig& config, std::string_view program);

}  // namespace saferl::services
