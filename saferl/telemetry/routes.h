#pragma once
// The routes that every service has: GET /metrics, and GET /debug/profile for callers on this
// machine when PROFILING_ENABLED=true or CPU_PROFILING=true.
// RT: no. `metrics` and `router` must outlive the server.

#include "saferl/net/router.h"
#include "saferl/telemetry/metrics.h"

namespace saferl::telemetry {

/// PROFILING_ENABLED or CPU_PROFILING is "true" or "1".
bool ProfilingEnabled();

void AddTelemetryRoutes(net::Router* router, const Metrics& metrics, bool profiling);

}  // namespace saferl::telemetry
