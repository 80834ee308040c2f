#include "saferl/services/monitor/service.h"

#include <filesystem>

#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/services/monitor/routes.h"
#include "saferl/services/observer.h"
#include "saferl/telemetry/operations_metrics.h"
#include "saferl/telemetry/routes.h"

namespace saferl::services {
namespace {

using net::Request;
using net::Response;

void AddServiceRoutes(Monitor* monitor, const BuildInfo& build, net::Router* router) {
  net::Route health;
  health.pattern = "/health";
  health.operation_id = "health";
  health.summary = "Is the monitor well, and does it hear the robot it is to watch";
  health.tag = "health";
  health.handler = [monitor](const Request& request) {
    if (const Status status = MonitorHealth(*monitor); !status.ok())
      return net::Problem(request, 503, "unhealthy", Cat(status.message()));
    return Response::Json(R"({"status":"healthy"})");
  };
  router->Add(std::move(health));
  net::Route version;
  version.pattern = "/version";
  version.operation_id = "version";
  version.summary = "Version of the program";
  version.tag = "service";
  version.handler = [build](const Request&) {
    JsonWriter w;
    w.BeginObject().Field("name", "saferl").Field("version", build.version);
    return Response::Json(w.Field("commit", build.commit).EndObject().Take());
  };
  router->Add(std::move(version));
}

}  // namespace

MonitorOptions MonitorOptionsOf(const ServiceConfig& config) {
  const MonitorConfig& c = config.monitor;
  MonitorOptions options;
  if (c.shm != "off") options.shm = c.shm;
  options.remote.url = c.url;
  options.remote.ca_file = c.ca_file;
  options.remote.cert_file = c.cert_file;
  options.remote.key_file = c.key_file;
  if (c.robot != "own") options.robot = c.robot;
  options.lease_s = c.lease_s;
  options.heartbeat_s = c.heartbeat_s;
  options.checkpoint_s = c.checkpoint_s;
  options.judge = {c.max_people_age_s, c.max_lidar_age_s};
  options.journal.folder = (std::filesystem::path(config.data_dir) / c.journal).string();
  options.alerts.webhook_url = config.telemetry.alert_webhook_url;
  options.alerts.alertmanager_url = config.telemetry.alertmanager_url;
  options.alerts.repeat_s = c.alert_repeat_s;
  return options;
}

StatusOr<std::unique_ptr<MonitorService>> MonitorService::Start(
    const ServiceConfig& config, const BuildInfo& build,
    std::function<void(const control::Decision&, const Verdict&)> on_judged) {
  std::unique_ptr<MonitorService> service(new MonitorService());
  telemetry::AddProcessMetrics(service->metrics_, build.version, build.commit);
  service->http_ = std::make_unique<telemetry::HttpMetrics>(service->metrics_, "monitor");
  MonitorOptions monitor = MonitorOptionsOf(config);
  monitor.on_judged = std::move(on_judged);
  SAFERL_ASSIGN_OR_RETURN(service->monitor_, Monitor::Start(monitor, &service->metrics_));
  AddServiceRoutes(service->monitor_.get(), build, &service->routes_);
  AddMonitorRoutes(service->monitor_.get(), &service->routes_);
  const TelemetryConfig& t = config.telemetry;
  telemetry::AddTelemetryRoutes(
      &service->routes_, service->metrics_,
      {.metrics = t.prometheus, .profiling = t.profiling || t.cpu_profiling});
  net::AddDocs(&service->routes_, "Safety monitor", build.version);
  SAFERL_ASSIGN_OR_RETURN(service->tracer_, MakeTracer(config, service->metrics_));
  net::ServerOptions options;
  options.host = config.monitor_server.host;
  options.port = config.monitor_server.port;
  options.io_threads = config.monitor_server.io_threads;
  options.pool_threads = config.monitor_server.pool_threads;
  StatusOr<std::unique_ptr<net::HttpServer>> server =
      net::HttpServer::Start(options, service->routes_,
                             MakeObserver({.service = "monitor",
                                           .metrics = service->http_.get(),
                                           .tracer = service->tracer_.get(),
                                           .access_log = t.access_log,
                                           .slow_s = config.alerts.latency_s},
                                          service->routes_));
  if (!server.ok())
    return Status(server.status().code(), Cat("monitor_server: ", server.status().message()));
  service->server_ = *std::move(server);
  ShowConnections(service->server_, &service->metrics_, service->http_.get());
  return service;
}

MonitorService::~MonitorService() {
  server_ = nullptr;  // its handlers use the monitor
}

}  // namespace saferl::services
