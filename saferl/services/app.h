#pragma once
// App: the services of one process. `saferl up` runs all of them on one machine; with `services`
// set it runs the named ones, on the same stores.
//
// Start opens the stores, loads the models and serves; Stop drains and leaves in the reverse order.
// Errors: what a store, a port or a model file says, with the field of the configuration. RT: no.

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "saferl/net/grpc_port.h"
#include "saferl/net/http_server.h"
#include "saferl/registry/store.h"
#include "saferl/services/build_info.h"
#include "saferl/services/config.h"
#include "saferl/services/decide/decide_service.h"
#include "saferl/services/experiments/experiment_routes.h"
#include "saferl/services/inference/engine.h"
#include "saferl/services/inference/model_host.h"
#include "saferl/services/inference/oip_grpc.h"
#include "saferl/services/monitor/alert_rules.h"
#include "saferl/services/monitor/drift_watch.h"
#include "saferl/services/monitor/service.h"
#include "saferl/services/registry/model_sync.h"
#include "saferl/services/rollouts/agent.h"
#include "saferl/services/rollouts/driver.h"
#include "saferl/services/rollouts/evidence_store.h"
#include "saferl/storage/cache.h"
#include "saferl/storage/database.h"
#include "saferl/storage/objects.h"
#include "saferl/telemetry/catalogue.h"
#include "saferl/telemetry/trace.h"

namespace saferl::services {

enum class Service : uint8_t { kApi, kInference, kMonitor };
StatusOr<Service> ParseService(std::string_view name);

class App {
 public:
  static StatusOr<std::unique_ptr<App>> Start(const ServiceConfig& config, const BuildInfo& build,
                                              const std::vector<Service>& services);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  /// Ports that are served; 0 where a service does not run here.
  int api_port() const { return api_ == nullptr ? 0 : api_->port(); }
  int inference_port() const { return inference_ == nullptr ? 0 : inference_->port(); }
  int monitor_port() const { return monitor_ == nullptr ? 0 : monitor_->port(); }
  ModelHost& models() { return models_; }
  DecideService& decide() { return *decide_; }
  registry::Store& registry() { return *registry_; }
  /// Where the monitor runs here.
  Monitor& monitor() { return monitor_->monitor(); }
  /// Each port that is served here, and its routes.
  std::vector<std::pair<int, const net::Router*>> served() const;
  /// Stops taking work, answers what is in flight. True when all was answered in time.
  bool Drain();

 private:
  App(const ServiceConfig& config, const BuildInfo& build);
  Status OpenStores();
  Status LoadModels();
  OipOptions Oip();
  void TakeGrpc(int fd);
  Status OpenRollouts();
  void SeatSessions();
  RolloutRules Rules() const;
  Status StartMonitor();
  Status AddApiRoutes();
  Status WatchAlerts();
  void AddCommonRoutes(const std::string& title, net::Router* router);
  void AddHealthRoutes(net::Router* router);
  StatusOr<std::shared_ptr<net::HttpServer>> Serve(const ServerConfig& server, const char* name,
                                                   const net::Router& router);

  ServiceConfig config_;
  BuildInfo build_;
  telemetry::Metrics metrics_;
  std::unique_ptr<telemetry::Tracer> tracer_;  ///< null: no collector
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<storage::Objects> objects_;
  std::unique_ptr<storage::Cache> cache_;
  ModelHost models_;
  Engine engine_;
  std::unique_ptr<registry::Store> registry_;
  std::unique_ptr<ModelSync> sync_;
  std::unique_ptr<EvidenceStore> evidence_;
  SafetyCounts safety_counts_{&metrics_};
  std::unique_ptr<RolloutAgent> agent_;  ///< outlives the sessions that have seats
  std::unique_ptr<DecideService> decide_;
  std::unique_ptr<RolloutDriver> rollouts_;
  std::unique_ptr<ExperimentStore> experiments_;
  std::atomic<bool> ready_{false};
  std::vector<std::unique_ptr<telemetry::HttpMetrics>> http_metrics_;
  std::mutex grpc_mutex_;
  bool draining_ = false;
  std::unique_ptr<OipGrpc> oip_grpc_;
  std::unique_ptr<ControlGrpc> control_grpc_;
  std::unique_ptr<net::GrpcPort> grpc_;
  net::Router api_routes_, inference_routes_;
  std::shared_ptr<net::HttpServer> api_, inference_;
  std::unique_ptr<MonitorService> monitor_;
  ServiceCounts counts_;
  std::unique_ptr<Alerts> own_alerts_;  ///< where no monitor runs here
  std::unique_ptr<AlertWatch> alert_watch_;
  std::unique_ptr<DriftWatch> drift_watch_;
};

}  // namespace saferl::services
