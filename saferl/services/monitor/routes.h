#pragma once
// The safety monitor over HTTP (:8002).
//
//   GET  /status             the robot, the latch and why, what was judged, the journal's last hash
//   GET  /alerts             what is on and what was
//   POST /latch              {"operator","reason"}: stop the robot
//   POST /latch/clear        {"operator","reason"}: let it move again
//   GET  /decisions/stream   WebSocket: every decision, judged (stream.h)
// /health and /metrics are added by app.cc as for every service; MonitorHealth says what /health
// tells. RT: no. `monitor` and `router` must outlive the server.

#include "saferl/net/router.h"
#include "saferl/services/monitor/monitor.h"

namespace saferl::services {

void AddMonitorRoutes(Monitor* monitor, net::Router* router);

/// Not OK: the journal cannot be written, or a robot is expected and silent.
Status MonitorHealth(const Monitor& monitor);

std::string StatusJson(const MonitorState& state, const Journal::State& journal);

}  // namespace saferl::services
