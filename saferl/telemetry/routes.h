#pragma once
// The routes that every service has: GET /metrics, and GET /debug/profile for callers on this
// machine where profiling is on.
// RT: no. `metrics` and `router` must outlive the server.

#include "saferl/net/router.h"
#include "saferl/telemetry/metrics.h"

namespace saferl::telemetry {

struct TelemetryRoutes {
  bool metrics = true, profiling = false;
};
void AddTelemetryRoutes(net::Router* router, const Metrics& metrics, const TelemetryRoutes& routes);

}  // namespace saferl::telemetry
