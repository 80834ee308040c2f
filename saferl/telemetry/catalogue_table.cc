// Every metric of the project, once: the catalogue's structs register through this table.
#include <cstdio>
#include <cstdlib>

#include "saferl/base/text.h"
#include "saferl/telemetry/catalogue.h"
#include "saferl/telemetry/catalogue_table.h"

namespace saferl::telemetry {
namespace {

constexpr std::string_view kCounter = "counter", kGauge = "gauge", kHistogram = "histogram";

constexpr MetricInfo kTable[] = {
    {"inference", "saferl_inference_requests_total", kCounter, "model,version,arm,transport,code",
     "Inference requests by status code"},
    {"inference", "saferl_inference_duration_seconds", kHistogram, "model,version,stage",
     "Time of a request in each stage: queue, compute, total"},
    {"inference", "saferl_inference_queue_depth", kGauge, "model", "Requests that wait"},
    {"inference", "saferl_inference_batch_size", kHistogram, "model", "Requests run together"},
    {"inference", "saferl_model_info", kGauge, "model,version,sha256,quant",
     "1 for each model version that is loaded"},
    {"inference", "saferl_model_load_duration_seconds", kHistogram, "model",
     "Time from the package's bytes to a verified model"},
    {"inference", "saferl_sequence_active", kGauge, "model", "Stateful sequences held"},
    {"inference", "saferl_sequence_evictions_total", kCounter, "model,reason",
     "Sequences ended by the server: idle"},

    {"control", "saferl_control_cycles_total", kCounter, "", "Ticks of the control loop"},
    {"control", "saferl_control_deadline_misses_total", kCounter, "",
     "Ticks that came more than two periods after the one before"},
    {"control", "saferl_control_jitter_seconds", kHistogram, "",
     "Difference of the time between two ticks and the period"},

    {"safety", "saferl_safety_violations_total", kCounter, "constraint,severity,arm",
     "Violations that began: critical measured, refused or found by the monitor; warning not "
     "followed"},
    {"safety", "saferl_safety_margin", kGauge, "constraint",
     "Least distance of the last command to a limit, by the monitor; negative: not proved"},
    {"safety", "saferl_shield_interventions_total", kCounter, "constraint,arm",
     "Ticks whose command the filter changed, by the constraint it is nearest to"},
    {"safety", "saferl_human_interventions_total", kCounter, "kind,arm",
     "What the person did against the policy: stop (the button goes down)"},
    {"safety", "saferl_robot_exposure_seconds_total", kCounter, "arm",
     "Time that robots were under control; the denominator of every safety rate"},

    {"decisions", "saferl_decisions_kept_total", kCounter, "", "Decisions stored"},
    {"decisions", "saferl_decisions_dropped_total", kCounter, "",
     "Decisions not stored: the queue was full, or the database away"},
    {"decisions", "saferl_latches_waiting", kGauge, "",
     "Robots whose latched stop, or its acknowledgement, is not stored yet"},
    {"decisions", "saferl_control_streams", kGauge, "", "Open control streams"},
    {"decisions", "saferl_control_streams_silent_total", kCounter, "",
     "Control streams ended because their client was silent"},
    {"decisions", "saferl_control_ticks_overtaken_total", kCounter, "",
     "Ticks of streams that newer ones overtook"},

    {"monitor", "saferl_monitor_decisions_total", kCounter, "", "Decisions that were judged"},
    {"monitor", "saferl_monitor_lost_decisions_total", kCounter, "",
     "Decisions that were never seen"},
    {"monitor", "saferl_monitor_latched", kGauge, "",
     "1: the robot is stopped until people clear it"},
    {"monitor", "saferl_monitor_granting", kGauge, "", "1: the robot may move"},
    {"monitor", "saferl_monitor_judge_duration_seconds", kHistogram, "",
     "Time to judge a decision"},
    {"monitor", "saferl_monitor_journal_entries_total", kCounter, "outcome",
     "Entries for the journal: queued or dropped"},
    {"monitor", "saferl_alert_notifications_total", kCounter, "channel,outcome",
     "Messages to people: sent, failed (and tried again), dropped for want of room"},

    {"rollout", "saferl_rollout_state", kGauge, "model,state", "1 for the state it is in, else 0"},
    {"rollout", "saferl_rollout_weight_ratio", kGauge, "model",
     "Share of robots that the new version may drive"},
    {"rollout", "saferl_rollout_gate_log_evalue", kGauge, "model,gate",
     "Evidence against the new version: natural logarithm of the gate's e-value"},
    {"rollout", "saferl_rollbacks_total", kCounter, "model,reason", "Rollbacks by their cause"},
    {"rollout", "saferl_rollout_rollback_duration_seconds", kHistogram, "model",
     "Time from the order to roll back until the stable version drives"},

    {"http", "saferl_http_requests_total", kCounter, "service,method,route,code",
     "Requests by route and status code"},
    {"http", "saferl_http_request_duration_seconds", kHistogram, "service,method,route",
     "Time from a request's first byte to its answer's last"},
    {"http", "saferl_http_connections", kGauge, "service", "Open connections"},
    {"http", "saferl_http_sent_bytes_total", kCounter, "service", "Bytes of answers"},
    {"http", "saferl_http_rejected_total", kCounter, "service",
     "Requests refused for want of room: queue full, limit reached, draining"},
    {"http", "saferl_auth_failures_total", kCounter, "service,reason",
     "Requests refused for who sent them"},

    {"storage", "saferl_storage_operations_total", kCounter, "store,operation,outcome",
     "Operations on a store: ok or failed"},
    {"storage", "saferl_storage_operation_duration_seconds", kHistogram, "store,operation",
     "Time of an operation on a store"},
    {"storage", "saferl_cache_requests_total", kCounter, "store,outcome",
     "Look-ups in a cache: hit or miss"},
    {"storage", "saferl_storage_breaker_open", kGauge, "store",
     "1 while the last call found the store away"},

    {"drift", "saferl_drift_statistic", kGauge, "model,version,test,feature_group",
     "Largest shift of a feature's mean, in deviations of its reference"},
    {"drift", "saferl_drift_pvalue", kGauge, "model,version,test,feature_group",
     "Probability of what was seen, or more, without drift; all features of the group together"},
    {"drift", "saferl_drift_window_samples", kGauge, "model,version,test,feature_group",
     "Samples in the tested window; 0: none was tested yet"},

    {"routing", "saferl_route_decisions_total", kCounter, "target,reason",
     "Requests sent to a target, and why"},
    {"routing", "saferl_route_regret_estimate", kGauge, "target",
     "Estimated cost of not having chosen the best target"},
    {"routing", "saferl_route_breaker_state", kGauge, "target", "0 closed, 0.5 half open, 1 open"},
    {"sync", "saferl_sync_backlog_bytes", kGauge, "", "Bytes that wait to be sent"},
    {"sync", "saferl_sync_oldest_age_seconds", kGauge, "", "Age of the oldest record that waits"},
    {"sync", "saferl_sync_duplicates_total", kCounter, "", "Records that arrived again"},

    {"backup", "saferl_backup_last_success_timestamp_seconds", kGauge, "kind",
     "When a backup of this kind last succeeded, in seconds since 1970; 0: never"},
    {"business", "saferl_task_completions_total", kCounter, "outcome",
     "Tasks that people and robots ended: success, failure, aborted"},
    {"business", "saferl_user_satisfaction_score", kHistogram, "", "What people answer, 1 to 5"},
    {"business", "saferl_cost_usd_total", kCounter, "", "Money spent on cloud resources"},
    {"business", "saferl_recovery_duration_seconds", kHistogram, "",
     "Time from a failure until service is back"},

    {"gpu", "nv_gpu_utilization", kGauge, "gpu_uuid",
     "Share of time in which the GPU of inference.gpu was busy, 0 to 1"},
    {"gpu", "nv_gpu_memory_total_bytes", kGauge, "gpu_uuid", "Memory of that GPU"},
    {"gpu", "nv_gpu_memory_used_bytes", kGauge, "gpu_uuid",
     "Memory of that GPU in use, by whatever program"},
    {"gpu", "nv_gpu_power_usage", kGauge, "gpu_uuid", "Power that it draws, in watts"},

    {"traces", "saferl_trace_spans_exported_total", kCounter, "", "Spans the collector accepted"},
    {"traces", "saferl_trace_spans_dropped_total", kCounter, "reason",
     "Spans that were lost: queue, export"},

    {"process", "saferl_build_info", kGauge, "version,commit", "1, labelled with what runs"},
    {"process", "process_cpu_seconds_total", kCounter, "", "User and system time"},
    {"process", "process_resident_memory_bytes", kGauge, "", "Memory in RAM"},
    {"process", "process_virtual_memory_bytes", kGauge, "", "Address space"},
    {"process", "process_open_fds", kGauge, "", "Open file descriptors"},
    {"process", "process_max_fds", kGauge, "", "Most file descriptors that may be open"},
    {"process", "process_threads", kGauge, "", "Threads"},
    {"process", "process_start_time_seconds", kGauge, "", "Start, in seconds since 1970"},

    {"metrics", "saferl_metrics_overflow_total", kCounter, "",
     "Registrations that share a series for want of room"},
};

const MetricInfo& Find(std::string_view name, std::string_view type, const Labels& labels) {
  for (const MetricInfo& info : kTable) {
    if (info.name != name) continue;
    std::string names;
    for (const auto& label : labels) names += Cat(names.empty() ? "" : ",", label.first);
    if (info.type == type && info.labels == names) return info;
    break;
  }
  std::fprintf(stderr, "catalogue: %.*s is not in the table with this type and these labels\n",
               static_cast<int>(name.size()), name.data());
  std::abort();
}

}  // namespace

std::span<const MetricInfo> CatalogueTable() { return kTable; }

Counter& MakeCounter(Metrics& metrics, std::string_view name, const Labels& labels,
                     double per_unit) {
  return metrics.NewCounter(name, Find(name, kCounter, labels).help, labels, per_unit);
}
Gauge& MakeGauge(Metrics& metrics, std::string_view name, const Labels& labels) {
  return metrics.NewGauge(name, Find(name, kGauge, labels).help, labels);
}
Histogram& MakeHistogram(Metrics& metrics, std::string_view name, std::span<const double> buckets,
                         const Labels& labels) {
  return metrics.NewHistogram(name, Find(name, kHistogram, labels).help, buckets, labels);
}

std::string CatalogueMarkdown() {
  std::string text =
      "# Metrics\n\n"
      "What `GET /metrics` of each service shows. This page is made from the table that the code\n"
      "registers from (`saferl/telemetry/catalogue_table.cc`); a test compares the two.\n"
      "Histograms of seconds have buckets from 250 ns to 10 s. The families routing, sync, backup "
      "and\n"
      "business are names that are fixed already; no program shows them yet.\n";
  std::string_view area;
  for (const MetricInfo& info : kTable) {
    if (info.area != area) {
      area = info.area;
      text += Cat("\n## ", area, "\n\n| name | type | labels | meaning |\n|---|---|---|---|\n");
    }
    text += Cat("| `", info.name, "` | ", info.type, " | ", info.labels.empty() ? "-" : info.labels,
                " | ", info.help, " |\n");
  }
  return text;
}

}  // namespace saferl::telemetry
