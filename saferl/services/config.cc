#include "saferl/services/config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <set>

#include "saferl/base/config_print.h"
#include "saferl/base/file.h"
#include "saferl/base/text.h"
#include "saferl/base/yaml.h"

namespace saferl::services {
namespace {

constexpr double kMaxPort = 65535;

constexpr std::array kVariables = {
    Variable{"SAFERL_ENVIRONMENT", "environment", false},
    Variable{"SAFERL_DATA_DIR", "data_dir", false},
    Variable{"OFFLINE_MODE", "offline", false},
    Variable{"DATABASE_HOST", "database.host", false},
    Variable{"DATABASE_PORT", "database.port", false},
    Variable{"DATABASE_NAME", "database.name", false},
    Variable{"DATABASE_USER", "database.user", false},
    Variable{"DATABASE_PASSWORD", "database.password", true},
    Variable{"DATABASE_SSLMODE", "database.ssl_mode", false},
    Variable{"REDIS_HOST", "redis.host", false},
    Variable{"REDIS_PORT", "redis.port", false},
    Variable{"REDIS_USER", "redis.user", false},
    Variable{"REDIS_PASSWORD", "redis.password", true},
    Variable{"REDIS_TLS", "redis.tls", false},
    Variable{"AWS_REGION", "objects.region", false},
    Variable{"AWS_ACCESS_KEY_ID", "objects.access_key_id", true},
    Variable{"AWS_SECRET_ACCESS_KEY", "objects.secret_access_key", true},
    Variable{"AWS_ENDPOINT_URL_S3", "objects.endpoint", false},
    Variable{"S3_BUCKET", "objects.bucket", false},
    Variable{"JWT_SECRET_KEY", "security.jwt_secret_key", true},
    Variable{"JWT_ALGORITHM", "security.jwt_algorithm", false},
    Variable{"JWT_EXPIRE_HOURS", "security.jwt_expire_hours", false},
    Variable{"ENCRYPTION_KEY", "security.encryption_key", true},
    Variable{"MFA_ENABLED", "security.mfa", false},
    Variable{"SECURITY_SCAN_ENABLED", "security.scan", false},
    Variable{"TLS_ENABLED", "security.tls", false},
    Variable{"MTLS_ENABLED", "security.mtls", false},
    Variable{"PROMETHEUS_ENABLED", "telemetry.prometheus", false},
    Variable{"ALERTMANAGER_WEBHOOK_URL", "telemetry.alert_webhook_url", true},
    Variable{"SAFERL_ROBOT_SHM", "monitor.shm", false},
    Variable{"ALERTMANAGER_URL", "telemetry.alertmanager_url", false},
    Variable{"OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp_endpoint", false},
    Variable{"SAFERL_LOG_LEVEL", "telemetry.log_level", false},
    Variable{"PROFILING_ENABLED", "telemetry.profiling", false},
    Variable{"CPU_PROFILING", "telemetry.cpu_profiling", false},
    Variable{"MODEL_CACHE_SIZE", "inference.model_cache_size", false},
    Variable{"INFERENCE_BATCH_SIZE", "inference.batch_size", false},
    Variable{"ONNXRUNTIME_LIBRARY", "inference.onnxruntime", false},
    Variable{"INFERENCE_GPU", "inference.gpu", false},
    Variable{"GPU_MEMORY_LIMIT", "inference.gpu_memory_limit", false},
    Variable{"ECR_REPOSITORY", "deployment.image_repository", false},
    Variable{"GRAFANA_ADMIN_PASSWORD", "deployment.grafana_admin_password", true},
};

/// Values that examples carry and that attackers try first.
constexpr std::array<std::string_view, 12> kPlaceholders = {"your_secure_password",
                                                            "your_redis_password",
                                                            "your_jwt_secret_key_here",
                                                            "your_access_key",
                                                            "your_secret_key",
                                                            "your_grafana_password",
                                                            "your_webhook_url",
                                                            "your_encryption_key_here",
                                                            "changeme",
                                                            "password",
                                                            "postgres",
                                                            "secret"};

/// Reads NAME, or the file that NAME_FILE names.
StatusOr<std::optional<std::string>> ReadVariable(const Environ& environ, const std::string& name) {
  if (std::optional<std::string> value = environ(name)) return value;
  const std::optional<std::string> file = environ(name + "_FILE");
  if (!file.has_value()) return std::optional<std::string>();
  StatusOr<std::string> text = ReadFile(*file, 64 << 10);
  if (!text.ok())
    return absl::InvalidArgumentError(
        Cat(name, "_FILE: cannot read '", *file, "'; check the mounted secret"));
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  return std::optional<std::string>(*std::move(text));
}

Status SetField(const std::string& source, const std::string& field, const std::string& text,
                Node* root) {
  Node value(Node::Kind::kScalar, std::make_shared<const std::string>(source), 1);
  value.set_text(text, false);
  return root->Set(field, std::move(value));
}

/// `from` stands before the variable in messages and origins.
Status ApplyEnviron(const Environ& environ, const std::string& from, Node* root) {
  for (const Variable& variable : kVariables) {
    SAFERL_ASSIGN_OR_RETURN(const std::optional<std::string> value,
                            ReadVariable(environ, variable.name));
    if (value.has_value())
      SAFERL_RETURN_IF_ERROR(SetField(Cat(from, "$", variable.name), variable.field, *value, root));
  }
  return absl::OkStatus();
}

void AddOrigins(const Node& node, const std::string& path,
                std::map<std::string, std::string>* origins) {
  for (const Node::Entry& entry : node.entries()) {
    const std::string field = path.empty() ? entry.key : Cat(path, ".", entry.key);
    const std::string& source = entry.value.source();
    const bool has_lines = source != "--set" && source.find('$') == std::string::npos;
    if (entry.value.is_map()) {
      AddOrigins(entry.value, field, origins);
    } else {
      (*origins)[field] = has_lines ? entry.value.Location() : source;
    }
  }
}

Status CheckSecret(const char* variable, const std::string& value, size_t least) {
  if (value.empty()) return absl::OkStatus();
  std::string lower = value;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (std::find(kPlaceholders.begin(), kPlaceholders.end(), lower) != kPlaceholders.end())
    return absl::FailedPreconditionError(
        Cat(variable, ": is a placeholder; set a secret of your own (openssl rand -hex 32)"));
  if (value.size() < least)
    return absl::FailedPreconditionError(
        Cat(variable, ": is shorter than ", least, " bytes; make one by openssl rand -hex 32"));
  return absl::OkStatus();
}

}  // namespace

template <class V>
void DatabaseConfig::Visit(V& v, DatabaseConfig& c) {
  v.Field("path", c.path, {.doc = "SQLite file, in data_dir; used while host is empty"});
  v.Field("host", c.host, {.doc = "PostgreSQL server; empty: SQLite"});
  v.Field("port", c.port, {.doc = "PostgreSQL port", .min = 1, .max = kMaxPort});
  v.Field("name", c.name, {.doc = "database"});
  v.Field("user", c.user, {.doc = "role; no superuser is needed"});
  v.Field("password", c.password, {.doc = "from DATABASE_PASSWORD", .secret = true});
  v.Field("ssl_mode", c.ssl_mode,
          {.doc = "libpq's sslmode",
           .names = {"disable", "prefer", "require", "verify-ca", "verify-full"}});
  v.Field("pool", c.pool, {.doc = "connections", .min = 1, .max = 64});
}

template <class V>
void RedisConfig::Visit(V& v, RedisConfig& c) {
  v.Field("host", c.host, {.doc = "Redis server; empty: cache in process"});
  v.Field("port", c.port, {.doc = "Redis port", .min = 1, .max = kMaxPort});
  v.Field("user", c.user, {.doc = "ACL user; empty: default"});
  v.Field("password", c.password, {.doc = "from REDIS_PASSWORD", .secret = true});
  v.Field("tls", c.tls, {.doc = "speak TLS"});
  v.Field("ca_file", c.ca_file, {.doc = "PEM of the authority; empty: the system's"});
}

template <class V>
void ObjectsConfig::Visit(V& v, ObjectsConfig& c) {
  v.Field("path", c.path, {.doc = "folder, in data_dir; used while bucket is empty"});
  v.Field("bucket", c.bucket, {.doc = "S3 bucket; empty: a folder"});
  v.Field("endpoint", c.endpoint, {.doc = "S3 endpoint; empty: AWS"});
  v.Field("region", c.region, {.doc = "S3 region"});
  v.Field("access_key_id", c.access_key_id, {.doc = "from AWS_ACCESS_KEY_ID", .secret = true});
  v.Field("secret_access_key", c.secret_access_key,
          {.doc = "from AWS_SECRET_ACCESS_KEY", .secret = true});
  v.Field("ca_file", c.ca_file, {.doc = "PEM of the authority; empty: the system's"});
}

template <class V>
void ServerConfig::Visit(V& v, ServerConfig& c) {
  v.Field("host", c.host, {.doc = "address to listen on; loopback until users exist"});
  v.Field("port", c.port, {.doc = "port; 0: any free one", .min = 0, .max = kMaxPort});
  v.Field("io_threads", c.io_threads, {.doc = "threads for connections", .min = 1, .max = 64});
  v.Field("pool_threads", c.pool_threads, {.doc = "threads for slow work", .min = 1, .max = 64});
}

template <class V>
void InferenceConfig::Visit(V& v, InferenceConfig& c) {
  v.Field("model_cache_size", c.model_cache_size, {.doc = "memory for loaded models, e.g. 2GB"});
  v.Field("batch_size", c.batch_size,
          {.doc = "most requests computed together; never waited for", .min = 1, .max = 1024});
  v.Field("onnxruntime", c.onnxruntime,
          {.doc = "libonnxruntime.so for NAME/VERSION.onnx; empty: where the loader finds it"});
  v.Field("gpu", c.gpu,
          {.doc = "CUDA device of ONNX models, or off; packages compute on the CPU always"});
  v.Field("gpu_memory_limit", c.gpu_memory_limit,
          {.doc = "of each ONNX model's memory on the GPU; without effect while gpu is off"});
  v.Field("max_queue", c.max_queue, {.doc = "requests that may wait", .min = 1, .max = 1e6});
  v.Field("max_sessions", c.max_sessions,
          {.doc = "robots whose ticks are remembered; 0.1 MB each", .min = 1, .max = 1e5});
  v.Field("session_ttl_s", c.session_ttl_s,
          {.doc = "silence after which a robot's session ends", .unit = "s", .min = 1, .max = 1e6});
  v.Field("keep_decisions", c.keep_decisions,
          {.doc = "decisions of each robot that stay in the database", .min = 1, .max = 1e7});
  v.Field("monitor_required", c.monitor_required,
          {.doc = "no robot moves without a safety monitor at /monitor/stream; without it, those "
                  "that one has watched"});
  v.Field("monitor_lease_s", c.monitor_lease_s,
          {.doc = "how long a robot may move without that monitor's word",
           .unit = "s",
           .min = 0.05,
           .max = 5});
}

template <class V>
void TelemetryConfig::Visit(V& v, TelemetryConfig& c) {
  v.Field("prometheus", c.prometheus, {.doc = "serve /metrics"});
  v.Field("otlp_endpoint", c.otlp_endpoint, {.doc = "OTLP/HTTP collector; empty: no traces"});
  v.Field("profiling", c.profiling,
          {.doc = "serve /debug/profile, what saferl profile cpu reads, to this machine"});
  v.Field("cpu_profiling", c.cpu_profiling, {.doc = "the same, by its other name"});
  v.Field("log_dir", c.log_dir,
          {.doc = "folder for logs; auto: /opt/safe-rl/ENVIRONMENT/logs, or else the user's state "
                  "folder; empty: standard error"});
  v.Field("log_level", c.log_level,
          {.doc = "the least that is logged", .names = {"debug", "info", "warning", "error"}});
  v.Field("access_log", c.access_log,
          {.doc = "a line for each request; errors: for those that failed or were late",
           .names = {"off", "errors", "all"}});
  v.Field("alert_webhook_url", c.alert_webhook_url,
          {.doc = "from ALERTMANAGER_WEBHOOK_URL", .secret = true});
  v.Field("alertmanager_url", c.alertmanager_url, {.doc = "Alertmanager; empty: none"});
}

template <class V>
void AlertsConfig::Visit(V& v, AlertsConfig& c) {
  v.Field("error_share", c.error_share,
          {.doc = "more failed requests (5xx): HighErrorRate", .min = 0.0001, .max = 1});
  v.Field("latency_s", c.latency_s,
          {.doc = "1 % of the requests slower: HighLatency", .unit = "s", .min = 0.001, .max = 60});
  v.Field("utilisation", c.utilisation,
          {.doc = "more of CPU, memory or disk in use: HighResourceUtilisation",
           .min = 0.01,
           .max = 1});
  v.Field("window_s", c.window_s,
          {.doc = "requests of this long are looked at", .unit = "s", .min = 1, .max = 86400});
  v.Field("for_s", c.for_s,
          {.doc = "above for this long: raised", .unit = "s", .min = 0, .max = 86400});
  v.Field("clear_s", c.clear_s,
          {.doc = "at most 0.8 of the threshold for this long: resolved",
           .unit = "s",
           .min = 0,
           .max = 86400});
}

template <class V>
void DriftConfig::Visit(V& v, DriftConfig& c) {
  v.Field("least_shift", c.least_shift,
          {.doc = "a feature's mean that is off by less is no drift, however certain; in standard "
                  "deviations of training",
           .min = 0,
           .max = 10});
  v.Field("expected_run_windows", c.expected_run_windows,
          {.doc = "windows of 65536 ticks between false alarms of a group of features; the rule "
                  "ModelDrift of Prometheus stands for 1000",
           .min = 10,
           .max = 1e9});
}

template <class V>
void MonitorConfig::Visit(V& v, MonitorConfig& c) {
  v.Field("shm", c.shm, {.doc = "shared memory of the robot on this machine, or off"});
  v.Field("url", c.url,
          {.doc = "robot of an inference service elsewhere, instead of shm: "
                  "ws://HOST:8001/monitor/stream?robot=R or wss://; empty: none"});
  v.Field("ca_file", c.ca_file, {.doc = "PEM of the authority of wss://; empty: the system's"});
  v.Field("cert_file", c.cert_file, {.doc = "PEM certificate to show; empty: none"});
  v.Field("key_file", c.key_file, {.doc = "its PEM key; empty: none"});
  v.Field("robot", c.robot, {.doc = "robot file or name, or own: what saferl_rt says"});
  v.Field("journal", c.journal, {.doc = "folder of the hash-chained journal, in data_dir"});
  v.Field("lease_s", c.lease_s,
          {.doc = "how long the robot may move without hearing from the monitor",
           .unit = "s",
           .min = 0.01,
           .max = 2});
  v.Field(
      "heartbeat_s", c.heartbeat_s,
      {.doc = "no decision for longer: the robot is silent", .unit = "s", .min = 0.01, .max = 5});
  v.Field("checkpoint_s", c.checkpoint_s,
          {.doc = "how often the journal tells how much was judged",
           .unit = "s",
           .min = 0.1,
           .max = 3600});
  v.Field("max_people_age_s", c.max_people_age_s,
          {.doc = "moving on an older word of the people tracker is a violation",
           .unit = "s",
           .min = 0.001,
           .max = 1});
  v.Field("max_lidar_age_s", c.max_lidar_age_s,
          {.doc = "moving on an older lidar sweep is a violation",
           .unit = "s",
           .min = 0.001,
           .max = 1});
  v.Field(
      "alert_repeat_s", c.alert_repeat_s,
      {.doc = "alerts that stay are sent again this often", .unit = "s", .min = 1, .max = 86400});
}

template <class V>
void SecurityConfig::Visit(V& v, SecurityConfig& c) {
  v.Field("jwt_secret_key", c.jwt_secret_key, {.doc = "from JWT_SECRET_KEY", .secret = true});
  v.Field("jwt_algorithm", c.jwt_algorithm,
          {.doc = "token signature", .names = {"HS256", "ES256", "EdDSA"}});
  v.Field("jwt_expire_hours", c.jwt_expire_hours,
          {.doc = "longest session", .unit = "h", .min = 0.01, .max = 8760});
  v.Field("encryption_key", c.encryption_key, {.doc = "from ENCRYPTION_KEY", .secret = true});
  v.Field("mfa", c.mfa, {.doc = "second factor at login"});
  v.Field("scan", c.scan, {.doc = "security scan at start"});
  v.Field("tls", c.tls, {.doc = "TLS 1.3 on every port"});
  v.Field("mtls", c.mtls, {.doc = "client certificates between services"});
}

template <class V>
void DeploymentConfig::Visit(V& v, DeploymentConfig& c) {
  v.Field("image_repository", c.image_repository,
          {.doc = "where images are pushed to, from ECR_REPOSITORY; no service reads it"});
  v.Field("grafana_admin_password", c.grafana_admin_password,
          {.doc = "from GRAFANA_ADMIN_PASSWORD; Grafana's, no service reads it", .secret = true});
}

template <class V>
void RolloutsConfig::Visit(V& v, RolloutsConfig& c) {
  v.Field("steer_s", c.steer_s,
          {.doc = "how often rollouts are judged", .unit = "s", .min = 0.01, .max = 60});
  v.Field("look_s", c.look_s,
          {.doc = "how often sessions here look for a change of their rollout",
           .unit = "s",
           .min = 0.01,
           .max = 5});
  v.Field("report_s", c.report_s,
          {.doc = "how often sessions here report", .unit = "s", .min = 0.01, .max = 60});
  v.Field("max_data_age_s", c.max_data_age_s,
          {.doc = "a rollout without newer reports of an arm holds",
           .unit = "s",
           .min = 0.1,
           .max = 600});
  v.Field("acceptable_rate_per_h", c.acceptable_rate_per_h,
          {.doc = "bad events of a kind in a robot hour that a new version may be shown to stay "
                  "below instead of being compared",
           .unit = "1/h",
           .min = 1e-3,
           .max = 1e6});
}

template <class V>
void ServiceConfig::Visit(V& v, ServiceConfig& c) {
  v.Field("environment", c.environment,
          {.doc = "what this installation is", .names = {"development", "production", "edge"}});
  v.Field("data_dir", c.data_dir, {.doc = "folder of what this machine keeps"});
  v.Field("offline", c.offline,
          {.doc = "all stores are on this machine; one that is not is refused at the start"});
  v.Field("api", c.api, {.doc = "Safe RL API"});
  v.Field("inference_server", c.inference_server, {.doc = "policy inference"});
  v.Field("monitor_server", c.monitor_server, {.doc = "safety monitor"});
  v.Field("database", c.database, {.doc = "rows"});
  v.Field("redis", c.redis, {.doc = "cache and messages"});
  v.Field("objects", c.objects, {.doc = "model files"});
  v.Field("inference", c.inference, {.doc = "models in memory"});
  v.Field("telemetry", c.telemetry, {.doc = "metrics, logs, traces"});
  v.Field("alerts", c.alerts, {.doc = "when a service raises an alert about itself"});
  v.Field("drift", c.drift, {.doc = "when a served policy drifts"});
  v.Field("monitor", c.monitor, {.doc = "what the safety monitor watches"});
  v.Field("rollouts", c.rollouts, {.doc = "how new policies reach robots"});
  v.Field("security", c.security, {.doc = "tokens and keys"});
  v.Field("deployment", c.deployment, {.doc = "what is installed beside the services"});
}

Status ServiceConfig::Check() const {
  for (const auto& [name, text] :
       {std::pair{"inference.model_cache_size", inference.model_cache_size},
        std::pair{"inference.gpu_memory_limit", inference.gpu_memory_limit}}) {
    const StatusOr<uint64_t> size = ParseSize(text);
    if (!size.ok()) return absl::InvalidArgumentError(Cat(name, ": ", size.status().message()));
  }
  SAFERL_RETURN_IF_ERROR(ParseGpu(inference.gpu).status());
  if (offline) {
    for (const auto& [field, value] :
         {std::pair{"database.host", &database.host}, std::pair{"redis.host", &redis.host},
          std::pair{"objects.bucket", &objects.bucket},
          std::pair{"objects.endpoint", &objects.endpoint}}) {
      if (!value->empty())
        return absl::InvalidArgumentError(
            Cat("offline (OFFLINE_MODE): true, but ", field,
                " names a server, which every start would wait for; leave one of the two out"));
    }
  }
  for (const auto& [variable, on] :
       {std::pair{"TLS_ENABLED", security.tls}, std::pair{"MTLS_ENABLED", security.mtls}}) {
    if (on)
      return absl::FailedPreconditionError(
          Cat(variable,
              ": true, but the services speak no TLS themselves yet, and none starts that "
              "would only look as if; let a proxy on this machine end TLS and set it to false"));
  }
  if (rollouts.report_s + rollouts.steer_s > rollouts.max_data_age_s)
    return absl::InvalidArgumentError(
        Cat("rollouts.max_data_age_s: ", rollouts.max_data_age_s,
            " is shorter than report_s and steer_s together: every rollout would hold; raise it"));
  if (environment == Environment::kDevelopment) return absl::OkStatus();
  SAFERL_RETURN_IF_ERROR(CheckSecret("DATABASE_PASSWORD", database.password, 0));
  SAFERL_RETURN_IF_ERROR(CheckSecret("REDIS_PASSWORD", redis.password, 0));
  SAFERL_RETURN_IF_ERROR(CheckSecret("AWS_ACCESS_KEY_ID", objects.access_key_id, 0));
  SAFERL_RETURN_IF_ERROR(CheckSecret("AWS_SECRET_ACCESS_KEY", objects.secret_access_key, 0));
  SAFERL_RETURN_IF_ERROR(CheckSecret("JWT_SECRET_KEY", security.jwt_secret_key, 32));
  SAFERL_RETURN_IF_ERROR(CheckSecret("ENCRYPTION_KEY", security.encryption_key, 32));
  SAFERL_RETURN_IF_ERROR(CheckSecret("ALERTMANAGER_WEBHOOK_URL", telemetry.alert_webhook_url, 0));
  SAFERL_RETURN_IF_ERROR(
      CheckSecret("GRAFANA_ADMIN_PASSWORD", deployment.grafana_admin_password, 0));
  if (deployment.image_repository.starts_with("your-account."))
    return absl::FailedPreconditionError(
        "ECR_REPOSITORY: is a placeholder; give your own account's, or leave it empty");
  return absl::OkStatus();
}

StatusOr<int> ParseGpu(std::string_view text) {
  if (text == "off") return -1;
  int device = -1;
  const char* end = text.data() + text.size();
  if (std::from_chars(text.data(), end, device) == std::from_chars_result{end, std::errc()} &&
      device >= 0 && device < 1024)
    return device;
  return absl::InvalidArgumentError(Cat("inference.gpu: '", text.substr(0, 40),
                                        "' is no device; give off or a number from 0 on"));
}

Environ ProcessEnviron() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

StatusOr<ServiceConfig> LoadServiceConfig(const ConfigSources& sources) {
  Node root(Node::Kind::kMap, std::make_shared<const std::string>("configuration"), 1);
  if (!sources.file.empty()) {
    SAFERL_ASSIGN_OR_RETURN(root, LoadYaml(sources.file));
  }
  std::vector<UnknownVariable> unknown;
  if (!sources.dot_env.empty()) {
    SAFERL_ASSIGN_OR_RETURN(const std::string text, ReadFile(sources.dot_env, 1 << 20));
    SAFERL_ASSIGN_OR_RETURN(const auto lines, ParseDotEnv(text, sources.dot_env));
    const Environ of_file = [&lines](const std::string& name) -> std::optional<std::string> {
      for (auto line = lines.rbegin(); line != lines.rend(); ++line) {  // the last one counts
        if (line->first == name) return line->second;
      }
      return std::nullopt;
    };
    SAFERL_RETURN_IF_ERROR(ApplyEnviron(of_file, Cat(sources.dot_env, ": "), &root));
    std::vector<std::string> names;
    for (const auto& [name, value] : lines) names.push_back(name);
    unknown = UnknownVariables(names);
  }
  if (sources.environ) SAFERL_RETURN_IF_ERROR(ApplyEnviron(sources.environ, "", &root));
  for (const auto& [field, value] : sources.set)
    SAFERL_RETURN_IF_ERROR(SetField("--set", field, value, &root));
  SAFERL_ASSIGN_OR_RETURN(ServiceConfig config, config::Read<ServiceConfig>(root));
  AddOrigins(root, "", &config.origins);
  config.unknown = std::move(unknown);
  return config;
}

StatusOr<uint64_t> ParseSize(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  constexpr std::array<std::pair<std::string_view, uint64_t>, 8> kUnits = {{{"", 1},
                                                                            {"B", 1},
                                                                            {"KB", 1'000},
                                                                            {"MB", 1'000'000},
                                                                            {"GB", 1'000'000'000},
                                                                            {"KiB", 1ULL << 10},
                                                                            {"MiB", 1ULL << 20},
                                                                            {"GiB", 1ULL << 30}}};
  for (const auto& [name, factor] : kUnits) {
    if (error != std::errc() || name != unit) continue;
    if (number > std::numeric_limits<int64_t>::max() / factor) break;
    return number * factor;
  }
  return absl::InvalidArgumentError(Cat("'", text, "' is no size; write 2GB, 512MiB or bytes"));
}

std::string PrintServiceConfig(const ServiceConfig& config, bool comments) {
  return config::Print(config, comments);
}
std::vector<config::FieldDoc> ExplainServiceConfig() { return config::Explain<ServiceConfig>(); }
std::vector<config::FieldDoc> ExplainServiceConfig(const ServiceConfig& config) {
  return config::Explain(config);
}

std::vector<Variable> Variables() { return {kVariables.begin(), kVariables.end()}; }

}  // namespace saferl::services
