#include "saferl/services/app.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "saferl/base/json.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/services/api/alert_routes.h"
#include "saferl/services/api/configuration_route.h"
#include "saferl/services/metered_stores.h"
#include "saferl/services/mlflow/routes.h"
#include "saferl/services/observer.h"
#include "saferl/services/registry/model_routes.h"
#include "saferl/services/rollouts/lease_routes.h"
#include "saferl/services/rollouts/rollout_routes.h"
#include "saferl/services/stores.h"
#include "saferl/telemetry/gpu_metrics.h"
#include "saferl/telemetry/operations_metrics.h"
#include "saferl/telemetry/routes.h"

namespace saferl::services {
namespace {

using net::Method;
using net::Request;
using net::Response;

void Add(net::Router* router, std::string pattern, std::string id, std::string summary,
         std::string tag, net::Run run, net::Handler handler, const char* type = net::kJsonType) {
  net::Route route;
  route.pattern = std::move(pattern);
  route.operation_id = std::move(id);
  route.summary = std::move(summary);
  route.tag = std::move(tag);
  route.run = run;
  route.handler = std::move(handler);
  route.response_type = type;
  router->Add(std::move(route));
}

/// {"status":"healthy"} or 503 with what is wrong.
Response HealthOf(const Request& request, const Status& status, std::string_view kind) {
  if (!status.ok())
    return net::Problem(request, 503, "unhealthy", Cat(kind, ": ", status.message()));
  return Response::Json(
      JsonWriter().BeginObject().Field("status", "healthy").Field("kind", kind).EndObject().Take());
}

// Who asks a service is told soon that a store does not answer, and may ask again.
constexpr double kStatement_s = 3, kSilence_s = 3, kPatience_s = 2;
constexpr double kFollowRegistry_s = 1;

std::string InFolder(const std::string& folder, const std::string& path) {
  return (std::filesystem::path(folder) / path).string();
}

}  // namespace

StatusOr<Service> ParseService(std::string_view name) {
  if (name == "api") return Service::kApi;
  if (name == "inference") return Service::kInference;
  if (name == "monitor") return Service::kMonitor;
  return absl::InvalidArgumentError(
      Cat("service: '", name, "' is not one of api, inference, monitor"));
}

App::App(const ServiceConfig& config, const BuildInfo& build)
    : config_(config),
      build_(build),
      models_(&metrics_, ParseSize(config.inference.model_cache_size).value_or(0)),
      engine_(&models_,
              {.batch = config.inference.batch_size, .max_queue = config.inference.max_queue}) {}

App::~App() { Drain(); }

std::vector<std::pair<int, const net::Router*>> App::served() const {
  std::vector<std::pair<int, const net::Router*>> all;
  if (api_ != nullptr) all.emplace_back(api_->port(), &api_routes_);
  if (inference_ != nullptr) all.emplace_back(inference_->port(), &inference_routes_);
  if (monitor_ != nullptr) all.emplace_back(monitor_->port(), &monitor_->routes());
  return all;
}

bool App::Drain() {
  ready_ = false;
  alert_watch_ = nullptr;  // uses the monitor's alerts, as does
  drift_watch_ = nullptr;
  rollouts_ = nullptr;
  bool all = true;
  {
    const std::lock_guard<std::mutex> lock(grpc_mutex_);
    draining_ = true;
  }
  if (grpc_ != nullptr) {
    grpc_->SetServing("", false);
    grpc_->Drain(net::ServerOptions().drain_s);
  }
  for (std::shared_ptr<net::HttpServer>* server : {&api_, &inference_}) {
    if (*server != nullptr) all = (*server)->Drain() && all;
    server->reset();
  }
  grpc_.reset();
  if (monitor_ != nullptr) all = monitor_->Drain() && all;  // last: the robot moves until then
  monitor_ = nullptr;
  if (agent_ != nullptr) agent_->Stop();  // after the last decision
  return all;
}

Status App::OpenStores() {
  SAFERL_RETURN_IF_ERROR(MakeDataFolder(config_));
  storage::DatabaseOptions rows = RowsOf(config_);
  rows.statement_s = kStatement_s;
  SAFERL_ASSIGN_OR_RETURN(auto database, storage::OpenDatabase(rows));
  database_ = Metered(std::move(database), &metrics_);
  storage::ObjectsOptions objects = ObjectsOf(config_);
  objects.silence_s = kSilence_s;
  objects.patience_s = kPatience_s;
  SAFERL_ASSIGN_OR_RETURN(auto opened, storage::OpenObjects(objects));
  objects_ = Metered(std::move(opened), &metrics_);
  const RedisConfig& r = config_.redis;
  storage::CacheOptions cache;
  if (!r.host.empty()) cache.url = Cat(r.tls ? "rediss://" : "redis://", r.host, ":", r.port, "/0");
  cache.user = r.user;
  cache.password = r.password;
  cache.ca_file = r.ca_file;
  SAFERL_ASSIGN_OR_RETURN(auto made, storage::OpenCache(cache));
  cache_ = Metered(std::move(made), &metrics_);
  return absl::OkStatus();
}

/// What the registry says, with the files of data_dir/models pushed to it first. While a store is
/// away robots are served without models; they come when it does.
Status App::LoadModels() {
  SAFERL_ASSIGN_OR_RETURN(registry_, registry::Store::Open(database_.get(), objects_.get()));
  sync_ = std::make_unique<ModelSync>(registry_.get(), &models_);
  SAFERL_ASSIGN_OR_RETURN(const int gpu, ParseGpu(config_.inference.gpu));
  SAFERL_ASSIGN_OR_RETURN(const uint64_t limit, ParseSize(config_.inference.gpu_memory_limit));
  models_.SetOnnxRuntime(
      {.library = config_.inference.onnxruntime, .gpu = gpu, .gpu_memory_limit = limit});
  policy::DriftOptions drift;
  drift.least_shift = config_.drift.least_shift;
  drift.expected_run_windows = config_.drift.expected_run_windows;
  models_.SetDrift(drift);
  models_.SetReload([this](const std::string& name, const std::string& version) {
    return sync_->Reload(name, version);
  });
  Status loaded = sync_->PushFiles(InFolder(config_.data_dir, "models"));
  if (loaded.ok()) loaded = sync_->Sync();
  if (!loaded.ok() && !absl::IsUnavailable(loaded)) return loaded;
  if (!loaded.ok())
    Log(LogLevel::kError, "models not loaded yet", {{"why", Cat(loaded.message())}});
  sync_->Follow(kFollowRegistry_s);
  return absl::OkStatus();
}

Status App::OpenRollouts() {
  SAFERL_ASSIGN_OR_RETURN(evidence_, EvidenceStore::Open(registry_.get()));
  RolloutAgentOptions options;
  options.node = sync_->node();
  options.period_s = config_.rollouts.look_s;
  options.report_s = config_.rollouts.report_s;
  agent_ = std::make_unique<RolloutAgent>(registry_.get(), evidence_.get(), &models_, options);
  agent_->safety_counts = &safety_counts_;
  agent_->Start();
  return absl::OkStatus();
}

RolloutRules App::Rules() const {
  RolloutRules rules;
  rules.acceptable_rate_per_h = config_.rollouts.acceptable_rate_per_h;
  rules.max_data_age_s = config_.rollouts.max_data_age_s;
  return rules;
}

void App::SeatSessions() {
  Sessions& sessions = decide_->sessions();
  sessions.seat_for = [this](const SessionInfo& session) {
    return agent_->Sit(session.robot, session.model, session.id);
  };
  sessions.on_shadow = [this] { agent_->Wake(); };
  sessions.safety_counts = &safety_counts_;
}

/// What it finds is evidence about the policy that drove.
Status App::StartMonitor() {
  SAFERL_ASSIGN_OR_RETURN(
      monitor_,
      MonitorService::Start(
          config_, build_, [this](const control::Decision& decision, const Verdict& verdict) {
            agent_->Judged(decision, std::ranges::any_of(verdict.findings, [](const Finding& f) {
                             return f.check == Check::kMargin || f.check == Check::kFinite ||
                                    f.check == Check::kLimit || f.check == Check::kRate ||
                                    f.check == Check::kUnheeded;
                           }));
          }));
  return absl::OkStatus();
}

OipOptions App::Oip() {
  OipOptions oip;
  oip.server_version = build_.version;
  oip.ready = [this] { return ready_.load(std::memory_order_relaxed); };
  oip.load = [this](const std::string& name) { return sync_->Load(name); };
  return oip;
}

/// A client that opens with the HTTP/2 preface. The gRPC server starts with the first of them: who
/// never calls by gRPC spends neither memory nor time on it.
void App::TakeGrpc(int fd) {
  const std::lock_guard<std::mutex> lock(grpc_mutex_);
  if (grpc_ == nullptr && !draining_) {
    oip_grpc_ = MakeOipGrpc(Oip(), &engine_);
    control_grpc_ = decide_->Grpc();
    auto port = net::GrpcPort::Start({oip_grpc_->service(), control_grpc_->service()}, {});
    if (port.ok()) {
      grpc_ = *std::move(port);
    } else {
      Log(LogLevel::kError, "gRPC does not start", {{"why", Cat(port.status().message())}});
    }
  }
  if (grpc_ != nullptr && !draining_) {
    grpc_->Take(fd);
  } else {
    ::close(fd);
  }
}

/// What the API alone has. The monitor runs already where it does.
Status App::AddApiRoutes() {
  AddAlertRoutes(monitor_ == nullptr ? nullptr : &monitor_->monitor().alerts(), &api_routes_);
  AddConfigurationRoute(config_, &api_routes_);
  SAFERL_ASSIGN_OR_RETURN(experiments_, ExperimentStore::Open(database_.get()));
  AddExperimentRoutes(experiments_.get(), &decide_->idempotency(), &api_routes_);
  AddLeaseRoutes(registry_.get(), evidence_.get(), &api_routes_);
  AddRolloutRoutes({registry_.get(), evidence_.get(), &decide_->idempotency(), Rules()}, config_,
                   &api_routes_);
  AddModelRoutes(registry_.get(), &decide_->idempotency(), config_, &api_routes_);
  return absl::OkStatus();
}

void App::AddCommonRoutes(const std::string& title, net::Router* router) {
  Add(router, "/version", "version", "Version of the program", "service", net::Run::kInline,
      [this](const Request&) {
        return Response::Json(JsonWriter()
                                  .BeginObject()
                                  .Field("name", "saferl")
                                  .Field("version", build_.version)
                                  .Field("commit", build_.commit)
                                  .EndObject()
                                  .Take());
      });
  const TelemetryConfig& t = config_.telemetry;
  telemetry::AddTelemetryRoutes(
      router, metrics_, {.metrics = t.prometheus, .profiling = t.profiling || t.cpu_profiling});
  AddOipRoutes(Oip(), &engine_, router);
  net::AddDocs(router, title, build_.version);
}

void App::AddHealthRoutes(net::Router* router) {
  Add(router, "/health", "health", "Is the service healthy", "health", net::Run::kInline,
      [this](const Request& request) {
        const bool ready = ready_.load(std::memory_order_relaxed);
        return HealthOf(request,
                        ready ? absl::OkStatus() : absl::UnavailableError("starting or draining"),
                        "service");
      });
  Add(router, "/health/database", "healthDatabase", "Does the database take writes", "health",
      net::Run::kPool, [this](const Request& request) {
        return HealthOf(request, database_->Check(), database_->kind());
      });
  Add(router, "/health/cache", "healthCache", "Does the cache answer", "health", net::Run::kPool,
      [this](const Request& request) {
        return HealthOf(request, cache_->Check(), cache_->kind());
      });
  Add(router, "/health/models", "healthModels", "Are the model files there and loaded", "health",
      net::Run::kPool, [this](const Request& request) {
        if (const Status status = objects_->Check(); !status.ok())
          return HealthOf(request, status, objects_->kind());
        JsonWriter w;
        w.BeginObject()
            .Field("status", "healthy")
            .Field("kind", objects_->kind())
            .Key("models")
            .BeginArray();
        for (const IndexEntry& entry : models_.Index()) {
          w.BeginObject().Field("name", entry.name).Field("version", entry.version);
          w.Field("state", entry.state).Field("reason", entry.reason);
          if (const auto served = models_.Find(entry.name, entry.version); served != nullptr)
            WriteDrift(*served, &w);
          w.EndObject();
        }
        return Response::Json(w.EndArray().EndObject().Take());
      });
}

StatusOr<std::shared_ptr<net::HttpServer>> App::Serve(const ServerConfig& server, const char* name,
                                                      const net::Router& router) {
  http_metrics_.push_back(std::make_unique<telemetry::HttpMetrics>(metrics_, name));
  net::ServerOptions options;
  options.host = server.host;
  options.port = server.port;
  options.io_threads = server.io_threads;
  options.pool_threads = server.pool_threads;
  options.control_queue = config_.inference.max_queue;
  StatusOr<std::unique_ptr<net::HttpServer>> started =
      net::HttpServer::Start(options, router,
                             MakeObserver({.service = name,
                                           .metrics = http_metrics_.back().get(),
                                           .counts = &counts_,
                                           .tracer = tracer_.get(),
                                           .access_log = config_.telemetry.access_log,
                                           .slow_s = config_.alerts.latency_s},
                                          router));
  if (!started.ok())
    return Status(started.status().code(), Cat(name, ": ", started.status().message()));
  std::shared_ptr<net::HttpServer> running = *std::move(started);
  ShowConnections(running, &metrics_, http_metrics_.back().get());
  return running;
}

Status App::WatchAlerts() {
  if (monitor_ == nullptr) {
    AlertOptions options = MonitorOptionsOf(config_).alerts;
    options.source = "saferl-services";
    SAFERL_RETURN_IF_ERROR(Alerts::Check(options));
    own_alerts_ = std::make_unique<Alerts>(options, &metrics_);
  }
  const AlertsConfig& c = config_.alerts;
  AlertRuleOptions rules;
  rules.error_share = c.error_share;
  rules.latency_s = c.latency_s;
  rules.utilisation = c.utilisation;
  rules.window_s = c.window_s;
  rules.for_s = c.for_s;
  rules.clear_s = c.clear_s;
  Alerts* alerts = monitor_ == nullptr ? own_alerts_.get() : &monitor_->monitor().alerts();
  alert_watch_ = std::make_unique<AlertWatch>(rules, &counts_, alerts, config_.data_dir);
  drift_watch_ = std::make_unique<DriftWatch>(&models_, &metrics_, alerts,
                                              InFolder(config_.data_dir, "drift"));
  return absl::OkStatus();
}

StatusOr<std::unique_ptr<App>> App::Start(const ServiceConfig& config, const BuildInfo& build,
                                          const std::vector<Service>& services) {
  std::unique_ptr<App> app(new App(config, build));
  SAFERL_ASSIGN_OR_RETURN(app->tracer_, MakeTracer(config, app->metrics_));
  app->engine_.SetTracer(app->tracer_.get());
  SAFERL_RETURN_IF_ERROR(app->OpenStores());
  SAFERL_RETURN_IF_ERROR(app->LoadModels());
  SAFERL_RETURN_IF_ERROR(app->OpenRollouts());
  telemetry::AddProcessMetrics(app->metrics_, build.version, build.commit);
  SAFERL_ASSIGN_OR_RETURN(const int gpu, ParseGpu(config.inference.gpu));
  telemetry::AddGpuMetrics(app->metrics_, gpu);
  DecideOptions decide;
  decide.max_batch = config.inference.batch_size;
  decide.sessions.max_sessions = static_cast<size_t>(config.inference.max_sessions);
  decide.sessions.ttl_s = config.inference.session_ttl_s;
  decide.store.keep_per_robot = config.inference.keep_decisions;
  decide.watches = {config.inference.monitor_required, config.inference.monitor_lease_s};
  decide.sessions.robots_dir = InFolder(config.data_dir, "robots");
  SAFERL_ASSIGN_OR_RETURN(app->decide_, DecideService::Open(decide, &app->models_,
                                                            app->database_.get(), &app->metrics_));
  app->SeatSessions();
  app->decide_->AddRoutes(&app->inference_routes_);
  for (net::Router* router : {&app->api_routes_, &app->inference_routes_})
    SAFERL_RETURN_IF_ERROR(app->decide_->AddApiRoutes(router));
  const auto runs = [&services](Service service) {
    return services.empty() ||
           std::find(services.begin(), services.end(), service) != services.end();
  };
  if (runs(Service::kMonitor)) {
    SAFERL_RETURN_IF_ERROR(app->StartMonitor());
  }
  SAFERL_RETURN_IF_ERROR(app->AddApiRoutes());
  app->AddHealthRoutes(&app->api_routes_);
  mlflow::AddRoutes(app->registry_.get(), &app->api_routes_);
  app->AddCommonRoutes("Safe RL API", &app->api_routes_);
  app->AddHealthRoutes(&app->inference_routes_);
  app->AddCommonRoutes("Policy inference", &app->inference_routes_);
  if (runs(Service::kApi)) {
    SAFERL_ASSIGN_OR_RETURN(app->api_, app->Serve(config.api, "api", app->api_routes_));
  }
  if (runs(Service::kInference)) {
    SAFERL_ASSIGN_OR_RETURN(
        app->inference_, app->Serve(config.inference_server, "inference", app->inference_routes_));
    app->inference_->SetHttp2([app = app.get()](int fd) { app->TakeGrpc(fd); });
  }
  if (runs(Service::kApi)) {
    ControllerOptions controller;
    controller.holder = ControllerName();
    controller.judge = app->Rules();
    app->rollouts_ =
        std::make_unique<RolloutDriver>(app->registry_.get(), app->evidence_.get(), controller,
                                        config.rollouts.steer_s, &app->metrics_);
  }
  SAFERL_RETURN_IF_ERROR(app->WatchAlerts());
  app->ready_ = true;
  return app;
}

}  // namespace saferl::services
