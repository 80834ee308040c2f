#pragma once
// The safety monitor as a service: Monitor and its HTTP port, and nothing else. It needs no
// database, no object store and no network, so that none of them can stop a robot.
//
// `saferl monitor` runs it as a process of its own, as a robot should have it; `saferl up` runs one
// beside the other services. RT: no. Errors: what the journal, the robot file or the port says.

#include <memory>

#include "saferl/net/http_server.h"
#include "saferl/services/build_info.h"
#include "saferl/services/config.h"
#include "saferl/services/monitor/monitor.h"
#include "saferl/telemetry/trace.h"

namespace saferl::services {

MonitorOptions MonitorOptionsOf(const ServiceConfig& config);

class MonitorService {
 public:
  static StatusOr<std::unique_ptr<MonitorService>> Start(
      const ServiceConfig& config, const BuildInfo& build,
      std::function<void(const control::Decision&, const Verdict&)> on_judged = {});
  ~MonitorService();
  MonitorService(const MonitorService&) = delete;
  MonitorService& operator=(const MonitorService&) = delete;

  int port() const { return server_->port(); }
  Monitor& monitor() { return *monitor_; }
  const net::Router& routes() const { return routes_; }
  bool Drain() { return server_->Drain(); }

 private:
  MonitorService() = default;
  telemetry::Metrics metrics_;
  std::unique_ptr<telemetry::Tracer> tracer_;  ///< null: no collector
  std::unique_ptr<telemetry::HttpMetrics> http_;
  std::unique_ptr<Monitor> monitor_;
  net::Router routes_;
  std::shared_ptr<net::HttpServer> server_;
};

}  // namespace saferl::services
