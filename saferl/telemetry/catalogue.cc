#include "saferl/telemetry/catalogue.h"

#include "saferl/base/text.h"
#include "saferl/telemetry/catalogue_table.h"

namespace saferl::telemetry {
namespace {

constexpr const char* kInferenceDuration = "saferl_inference_duration_seconds";
constexpr const char* kEvictions = "saferl_sequence_evictions_total";
constexpr const char* kModelInfo = "saferl_model_info";

}  // namespace

std::string_view Name(Arm arm) {
  static constexpr std::string_view kNames[kArms] = {"stable", "canary", "shadow"};
  return kNames[static_cast<size_t>(arm)];
}
std::string_view Name(Transport transport) {
  static constexpr std::string_view kNames[kTransports] = {"http", "grpc", "websocket", "shm"};
  return kNames[static_cast<size_t>(transport)];
}
std::string_view Name(Severity severity) {
  static constexpr std::string_view kNames[kSeverities] = {"warning", "critical"};
  return kNames[static_cast<size_t>(severity)];
}

void CodeCounters::Add(int code) {
  for (Entry& entry : entries_) {
    Counter* counter = entry.counter.load(std::memory_order_acquire);
    if (counter == nullptr) break;
    if (entry.code == code) return counter->Add();
  }
  Labels labels = labels_;
  labels.emplace_back("code", Cat(code));
  Counter& made = MakeCounter(metrics_, name_, labels);
  made.Add();
  const std::lock_guard lock(mutex_);
  for (Entry& entry : entries_) {
    if (entry.counter.load(std::memory_order_relaxed) == &made) return;  // another thread was first
    if (entry.counter.load(std::memory_order_relaxed) != nullptr) continue;
    entry.code = code;
    entry.counter.store(&made, std::memory_order_release);
    return;
  }
}

ModelMetrics::ModelMetrics(Metrics& metrics, const std::string& model, const std::string& version)
    : queue(MakeHistogram(metrics, kInferenceDuration, LatencyBuckets(),
                          {{"model", model}, {"version", version}, {"stage", "queue"}})),
      compute(MakeHistogram(metrics, kInferenceDuration, LatencyBuckets(),
                            {{"model", model}, {"version", version}, {"stage", "compute"}})),
      total(MakeHistogram(metrics, kInferenceDuration, LatencyBuckets(),
                          {{"model", model}, {"version", version}, {"stage", "total"}})),
      batch_size(
          MakeHistogram(metrics, "saferl_inference_batch_size", SizeBuckets(), {{"model", model}})),
      load_duration(MakeHistogram(metrics, "saferl_model_load_duration_seconds", LatencyBuckets(),
                                  {{"model", model}})),
      queue_depth(MakeGauge(metrics, "saferl_inference_queue_depth", {{"model", model}})),
      sequences(MakeGauge(metrics, "saferl_sequence_active", {{"model", model}})),
      evicted_idle(MakeCounter(metrics, kEvictions, {{"model", model}, {"reason", "idle"}})),
      metrics_(metrics),
      model_(model),
      version_(version) {
  for (size_t a = 0; a < kArms; ++a) {
    for (size_t t = 0; t < kTransports; ++t) {
      requests_.push_back(std::make_unique<CodeCounters>(
          metrics, "saferl_inference_requests_total",
          Labels{{"model", model},
                 {"version", version},
                 {"arm", Cat(Name(static_cast<Arm>(a)))},
                 {"transport", Cat(Name(static_cast<Transport>(t)))}}));
    }
  }
}

CodeCounters& ModelMetrics::Requests(Arm arm, Transport transport) {
  return *requests_[static_cast<size_t>(arm) * kTransports + static_cast<size_t>(transport)];
}

void ModelMetrics::Loaded(const std::string& sha256, const std::string& quant, double seconds) {
  Unloaded();
  info_ = {{"model", model_}, {"version", version_}, {"sha256", sha256}, {"quant", quant}};
  MakeGauge(metrics_, kModelInfo, info_).Set(1);
  load_duration.Observe(seconds);
}

void ModelMetrics::Unloaded() {
  if (!info_.empty()) metrics_.Remove(kModelInfo, info_);
  info_.clear();
}

ControlMetrics::ControlMetrics(Metrics& metrics)
    : cycles(MakeCounter(metrics, "saferl_control_cycles_total")),
      deadline_misses(MakeCounter(metrics, "saferl_control_deadline_misses_total")),
      jitter(MakeHistogram(metrics, "saferl_control_jitter_seconds", LatencyBuckets())) {}

ViolationMetrics::ViolationMetrics(Metrics& metrics, std::span<const std::string> constraints) {
  for (const std::string& constraint : constraints) {
    for (size_t s = 0; s < kSeverities; ++s) {
      for (size_t a = 0; a < kArms; ++a) {
        violations_.push_back(
            &MakeCounter(metrics, "saferl_safety_violations_total",
                         {{"constraint", constraint},
                          {"severity", std::string(Name(static_cast<Severity>(s)))},
                          {"arm", std::string(Name(static_cast<Arm>(a)))}}));
      }
    }
  }
}

SafetyMetrics::SafetyMetrics(Metrics& metrics, std::span<const std::string> constraints)
    : ViolationMetrics(metrics, constraints) {
  for (size_t a = 0; a < kArms; ++a) {
    const std::string arm(Name(static_cast<Arm>(a)));
    constexpr const char* kHuman = "saferl_human_interventions_total";
    stops_.push_back(&MakeCounter(metrics, kHuman, {{"kind", "stop"}, {"arm", arm}}));
    exposure_.push_back(
        &MakeCounter(metrics, "saferl_robot_exposure_seconds_total", {{"arm", arm}}, 1e9));
  }
  for (const std::string& constraint : constraints) {
    for (size_t a = 0; a < kArms; ++a) {
      shield_.push_back(&MakeCounter(
          metrics, "saferl_shield_interventions_total",
          {{"constraint", constraint}, {"arm", std::string(Name(static_cast<Arm>(a)))}}));
    }
  }
}

Counter& ViolationMetrics::Violations(size_t constraint, Severity severity, Arm arm) {
  const size_t row = constraint * kSeverities + static_cast<size_t>(severity);
  return *violations_[row * kArms + static_cast<size_t>(arm)];
}
Counter& SafetyMetrics::ShieldInterventions(size_t constraint, Arm arm) {
  return *shield_[constraint * kArms + static_cast<size_t>(arm)];
}
Counter& SafetyMetrics::Stops(Arm arm) { return *stops_[static_cast<size_t>(arm)]; }
Counter& SafetyMetrics::ExposureNanos(Arm arm) { return *exposure_[static_cast<size_t>(arm)]; }

RolloutMetrics::RolloutMetrics(Metrics& metrics, const std::string& model,
                               std::span<const std::string> states,
                               std::span<const std::string> gates,
                               std::span<const std::string> reasons)
    : weight_ratio(MakeGauge(metrics, "saferl_rollout_weight_ratio", {{"model", model}})),
      rollback_duration(MakeHistogram(metrics, "saferl_rollout_rollback_duration_seconds",
                                      LatencyBuckets(), {{"model", model}})) {
  for (const std::string& state : states) {
    states_.push_back(
        &MakeGauge(metrics, "saferl_rollout_state", {{"model", model}, {"state", state}}));
  }
  for (const std::string& gate : gates) {
    gates_.push_back(
        &MakeGauge(metrics, "saferl_rollout_gate_log_evalue", {{"model", model}, {"gate", gate}}));
  }
  for (const std::string& reason : reasons) {
    rollbacks_.push_back(
        &MakeCounter(metrics, "saferl_rollbacks_total", {{"model", model}, {"reason", reason}}));
  }
}

void RolloutMetrics::SetState(size_t state) {
  for (size_t i = 0; i < states_.size(); ++i) states_[i]->Set(i == state ? 1 : 0);
}
Gauge& RolloutMetrics::LogEvalue(size_t gate) { return *gates_[gate]; }
Counter& RolloutMetrics::Rollbacks(size_t reason) { return *rollbacks_[reason]; }

HttpMetrics::HttpMetrics(Metrics& metrics, const std::string& service)
    : connections(MakeGauge(metrics, "saferl_http_connections", {{"service", service}})),
      sent_bytes(MakeCounter(metrics, "saferl_http_sent_bytes_total", {{"service", service}})),
      rejected(MakeCounter(metrics, "saferl_http_rejected_total", {{"service", service}})),
      metrics_(metrics),
      service_(service) {
  for (const char* reason : {"missing", "invalid", "expired", "forbidden", "locked"}) {
    auth_.push_back(&MakeCounter(metrics, "saferl_auth_failures_total",
                                 {{"service", service}, {"reason", reason}}));
  }
}

HttpMetrics::Route& HttpMetrics::ForRoute(std::string_view method, std::string_view pattern) {
  const Labels labels = {
      {"service", service_}, {"method", std::string(method)}, {"route", std::string(pattern)}};
  const std::string key = Cat(method, " ", pattern);
  const std::lock_guard lock(mutex_);
  for (const auto& [name, route] : routes_) {
    if (name == key) return *route;
  }
  auto* route = new Route{
      MakeHistogram(metrics_, "saferl_http_request_duration_seconds", LatencyBuckets(), labels),
      CodeCounters(metrics_, "saferl_http_requests_total", labels)};
  routes_.emplace_back(key, route);
  return *route;
}

Counter& HttpMetrics::AuthFailures(AuthFailure reason) {
  return *auth_[static_cast<size_t>(reason)];
}

StorageMetrics::StorageMetrics(Metrics& metrics, const std::string& store)
    : cache_hits(MakeCounter(metrics, "saferl_cache_requests_total",
                             {{"store", store}, {"outcome", "hit"}})),
      cache_misses(MakeCounter(metrics, "saferl_cache_requests_total",
                               {{"store", store}, {"outcome", "miss"}})),
      breaker_open(MakeGauge(metrics, "saferl_storage_breaker_open", {{"store", store}})),
      metrics_(metrics),
      store_(store) {}

StorageMetrics::Operation StorageMetrics::ForOperation(const std::string& operation) {
  constexpr const char* kOperations = "saferl_storage_operations_total";
  const auto labels = [&](const char* outcome) {
    return Labels{{"store", store_}, {"operation", operation}, {"outcome", outcome}};
  };
  return {MakeHistogram(metrics_, "saferl_storage_operation_duration_seconds", LatencyBuckets(),
                        {{"store", store_}, {"operation", operation}}),
          MakeCounter(metrics_, kOperations, labels("ok")),
          MakeCounter(metrics_, kOperations, labels("failed"))};
}

}  // namespace saferl::telemetry
