#pragma once
// The service plane's configuration: one YAML file, then .env, then the environment, then flags;
// the later wins. Every variable of the deployment guide has its field.
//
// Files: config/environments/{development,production,edge}.yaml. Secrets (passwords, keys) are read
// from the environment or from a file named by NAME_FILE (how container platforms mount them), and
// are never printed. Outside of development a placeholder secret refuses to start, naming the
// variable.
// Errors: kInvalidArgument "file:line: field: problem; next step", or the variable's name. RT: no.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/config.h"
#include "saferl/base/log.h"
#include "saferl/base/status.h"

namespace saferl::services {

enum class Environment : uint8_t { kDevelopment, kProduction, kEdge };

struct DatabaseConfig {
  std::string path = "saferl.db";  ///< SQLite, in the data folder; used while host is empty
  std::string host;                ///< PostgreSQL
  int port = 5432;
  std::string name = "safe_rl", user = "safe_rl_app", password;
  std::string ssl_mode = "prefer";
  int pool = 4;
  template <class V>
  static void Visit(V& v, DatabaseConfig& c);
};

struct RedisConfig {
  std::string host;  ///< empty: in process
  int port = 6379;
  std::string user, password, ca_file;
  bool tls = false;
  template <class V>
  static void Visit(V& v, RedisConfig& c);
};

struct ObjectsConfig {
  std::string path = "objects";  ///< directory, in the data folder; used while bucket is empty
  std::string bucket, endpoint, region = "us-east-1", access_key_id, secret_access_key, ca_file;
  template <class V>
  static void Visit(V& v, ObjectsConfig& c);
};

struct ServerConfig {
  std::string host = "127.0.0.1";
  int port = 0;
  int io_threads = 1, pool_threads = 4;
  template <class V>
  static void Visit(V& v, ServerConfig& c);
};

struct InferenceConfig {
  std::string model_cache_size = "2GB";
  int batch_size = 8;
  std::string onnxruntime;  ///< library for models of other operators; empty: the loader's own
  std::string gpu = "off";  ///< CUDA device for those models, or off
  std::string gpu_memory_limit = "4GB";
  int max_queue = 256;
  int max_sessions = 256;
  double session_ttl_s = 600;
  int keep_decisions = 2000;
  bool monitor_required = false;
  double monitor_lease_s = 0.5;
  template <class V>
  static void Visit(V& v, InferenceConfig& c);
};

enum class AccessLog : uint8_t { kOff, kErrors, kAll };

struct TelemetryConfig {
  bool prometheus = true;
  std::string otlp_endpoint;
  bool profiling = false, cpu_profiling = false;
  std::string log_dir;  ///< empty: standard error; auto: telemetry/logs.h's places
  LogLevel log_level = LogLevel::kInfo;
  AccessLog access_log = AccessLog::kErrors;  ///< observer.h
  std::string alert_webhook_url, alertmanager_url;
  template <class V>
  static void Visit(V& v, TelemetryConfig& c);
};

/// The alerts of a service about itself (monitor/alert_rules.h).
struct AlertsConfig {
  double error_share = 0.05, latency_s = 2, utilisation = 0.8;
  double window_s = 60, for_s = 30, clear_s = 60;
  template <class V>
  static void Visit(V& v, AlertsConfig& c);
};

/// When a served policy's inputs or outputs count as drifting (policy/drift.h).
struct DriftConfig {
  double least_shift = 0.5, expected_run_windows = 1000;
  template <class V>
  static void Visit(V& v, DriftConfig& c);
};

/// The safety monitor's part; its own server is `monitor_server`.
struct MonitorConfig {
  std::string shm = "off";  ///< shared memory of the robot on this machine, or off
  /// Of an inference service elsewhere: ws://HOST:8001/monitor/stream?robot=R; empty: none.
  std::string url, ca_file, cert_file, key_file;
  std::string robot = "own";        ///< robot file or name; own: what the source says
  std::string journal = "journal";  ///< folder, in the data folder
  double lease_s = 0.1, heartbeat_s = 0.25, checkpoint_s = 10;
  double max_people_age_s = 0.25, max_lidar_age_s = 0.25;
  double alert_repeat_s = 60;
  template <class V>
  static void Visit(V& v, MonitorConfig& c);
};

/// How rollouts are steered and how sessions here take part.
struct RolloutsConfig {
  double steer_s = 1, look_s = 0.2, report_s = 1;
  double max_data_age_s = 5;
  double acceptable_rate_per_h = 5;  ///< RolloutRules says why
  template <class V>
  static void Visit(V& v, RolloutsConfig& c);
};

struct SecurityConfig {
  std::string jwt_secret_key, jwt_algorithm = "HS256", encryption_key;
  double jwt_expire_hours = 24;
  bool mfa = true, scan = true, tls = false, mtls = false;
  template <class V>
  static void Visit(V& v, SecurityConfig& c);
};

/// Of the same .env, for what is installed beside the services; checked with the rest.
struct DeploymentConfig {
  std::string image_repository, grafana_admin_password;
  template <class V>
  static void Visit(V& v, DeploymentConfig& c);
};

/// A variable of .env that is none of ours.
struct UnknownVariable {
  std::string name;
  std::string nearest;  ///< ours that was probably meant; empty: it is for another program
};

struct ServiceConfig {
  Environment environment = Environment::kDevelopment;
  std::string data_dir = "data/run";
  bool offline = false;
  ServerConfig api{.port = 8000}, inference_server{.port = 8001}, monitor_server{.port = 8002};
  DatabaseConfig database;
  RedisConfig redis;
  ObjectsConfig objects;
  InferenceConfig inference;
  TelemetryConfig telemetry;
  MonitorConfig monitor;
  RolloutsConfig rollouts;
  AlertsConfig alerts;
  DriftConfig drift;
  SecurityConfig security;
  DeploymentConfig deployment;
  /// Where values came from, by dotted field: "file:line", "$VARIABLE", ".env: $VARIABLE", "--set".
  /// What is not in it has its default.
  std::map<std::string, std::string> origins;
  std::vector<UnknownVariable> unknown;  ///< in the order of .env
  template <class V>
  static void Visit(V& v, ServiceConfig& c);
  Status Check() const;
};

/// Value of an environment variable, or nothing.
using Environ = std::function<std::optional<std::string>(const std::string& name)>;
Environ ProcessEnviron();
/// KEY=value lines as in an .env file: comments, `export`, quotes. Errors name the line.
StatusOr<std::vector<std::pair<std::string, std::string>>> ParseDotEnv(std::string_view text,
                                                                       std::string_view name);

/// Of these names those that nobody here reads. One that resembles a variable of ours, or begins as
/// only ours do (SAFERL_, DATABASE_, ...), is taken for a misspelling of it.
std::vector<UnknownVariable> UnknownVariables(const std::vector<std::string>& names);

struct ConfigSources {
  std::string file;     ///< empty: defaults
  std::string dot_env;  ///< empty: none
  Environ environ;
  std::vector<std::pair<std::string, std::string>> set;  ///< dotted field, value
};
StatusOr<ServiceConfig> LoadServiceConfig(const ConfigSources& sources);

/// What is in effect, as YAML with secrets hidden; and every field for people.
std::string PrintServiceConfig(const ServiceConfig& config, bool comments);
std::vector<config::FieldDoc> ExplainServiceConfig();
/// The same rows with the values of `config` in place of the defaults; secrets hidden.
std::vector<config::FieldDoc> ExplainServiceConfig(const ServiceConfig& config);

/// "off" is -1.
StatusOr<int> ParseGpu(std::string_view text);
/// "2GB", "512MiB", "1048576".
StatusOr<uint64_t> ParseSize(std::string_view text);

/// One environment variable that is honoured.
struct Variable {
  const char *name, *field;
  bool secret;
};
std::vector<Variable> Variables();

}  // namespace saferl::services
