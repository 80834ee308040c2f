#pragma once
// What the safety monitor counts beside the safety metrics of catalogue.h, and what its channels to
// people do. Everything exists at 0 from the start. RT: recording yes, constructing no.

#include <string>

#include "saferl/telemetry/metrics.h"

namespace saferl::telemetry {

struct MonitorMetrics {
  explicit MonitorMetrics(Metrics& metrics);
  Counter &decisions, &lost;
  Gauge &latched, &granting;
  Histogram& judge_duration;  ///< [s]
  /// Of the last command, by the monitor's own computation: the least of all constraints, each in
  /// its unit; negative: not proved. +Inf until there is one.
  Gauge& margin;
  Counter &journal_queued, &journal_dropped;
};

/// Of one channel: "webhook" or "alertmanager".
struct NotificationMetrics {
  NotificationMetrics(Metrics& metrics, const std::string& channel);
  Counter &sent, &failed, &dropped;
};

}  // namespace saferl::telemetry
