#pragma once
// The rest of the catalogue: drift, hybrid routing, sync, backups, business; and the process itself
// under the names that every Prometheus client uses. RT: recording yes, constructing no.

#include <string>

#include "saferl/telemetry/metrics.h"

namespace saferl::telemetry {

/// Of one drift test on one group of features of one served version.
struct DriftMetrics {
  DriftMetrics(Metrics& metrics, const std::string& model, const std::string& version,
               const std::string& test, const std::string& feature_group);
  /// The version is unloaded: its gauges go, the handles are dead.
  void Remove();
  Gauge &statistic, &p_value, &window_samples;

 private:
  DriftMetrics(Metrics& metrics, const Labels& labels);
  Metrics& metrics_;
  Labels labels_;
};

struct RoutingMetrics {
  RoutingMetrics(Metrics& metrics, const std::string& target);
  Counter& Decisions(const std::string& reason);
  Gauge &regret_estimate, &breaker_open;

 private:
  Metrics& metrics_;
  std::string target_;
};

struct SyncMetrics {
  explicit SyncMetrics(Metrics& metrics);
  Gauge &backlog_bytes, &oldest_age_s;
  Counter& duplicates;
};

/// At 0 until the first success, which counts as "too long ago" in the alert.
struct BackupMetrics {
  explicit BackupMetrics(Metrics& metrics);
  Gauge &full, &incremental, &model, &configuration;  ///< [s since 1970] of the last success
};

struct BusinessMetrics {
  explicit BusinessMetrics(Metrics& metrics);
  Counter &tasks_succeeded, &tasks_failed, &tasks_aborted;
  Histogram& satisfaction;   ///< what people answer, 1 to 5
  Counter& cost_micro_usd;   ///< shown in USD
  Histogram& recovery_time;  ///< from failure to service [s]
};

/// process_cpu_seconds_total, process_resident_memory_bytes, ... read from /proc at each scrape,
/// and saferl_build_info.
void AddProcessMetrics(Metrics& metrics, const std::string& version, const std::string& commit);

}  // namespace saferl::telemetry
