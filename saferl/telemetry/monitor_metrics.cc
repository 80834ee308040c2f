#include "saferl/telemetry/monitor_metrics.h"

#include <limits>

#include "saferl/telemetry/catalogue_table.h"

namespace saferl::telemetry {
namespace {

constexpr const char* kJournal = "saferl_monitor_journal_entries_total";
constexpr const char* kNotified = "saferl_alert_notifications_total";

}  // namespace

MonitorMetrics::MonitorMetrics(Metrics& metrics)
    : decisions(MakeCounter(metrics, "saferl_monitor_decisions_total")),
      lost(MakeCounter(metrics, "saferl_monitor_lost_decisions_total")),
      latched(MakeGauge(metrics, "saferl_monitor_latched")),
      granting(MakeGauge(metrics, "saferl_monitor_granting")),
      judge_duration(
          MakeHistogram(metrics, "saferl_monitor_judge_duration_seconds", LatencyBuckets())),
      margin(MakeGauge(metrics, "saferl_safety_margin", {{"constraint", "all"}})),
      journal_queued(MakeCounter(metrics, kJournal, {{"outcome", "queued"}})),
      journal_dropped(MakeCounter(metrics, kJournal, {{"outcome", "dropped"}})) {
  margin.Set(std::numeric_limits<double>::infinity());
}

NotificationMetrics::NotificationMetrics(Metrics& metrics, const std::string& channel)
    : sent(MakeCounter(metrics, kNotified, {{"channel", channel}, {"outcome", "sent"}})),
      failed(MakeCounter(metrics, kNotified, {{"channel", channel}, {"outcome", "failed"}})),
      dropped(MakeCounter(metrics, kNotified, {{"channel", channel}, {"outcome", "dropped"}})) {}

}  // namespace saferl::telemetry
