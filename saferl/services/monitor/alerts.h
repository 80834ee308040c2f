#pragma once
// Alerts: what is wrong now, told to people by webhook and to Alertmanager, and told again when it
// is over.
//
// One alert is one name with one set of labels; raising it again counts it and sends nothing. What
// changes within `group_wait_s` goes out as one message. Each channel has a thread and a bounded
// queue of its own: a channel that does not answer is tried again with growing pauses, loses its
// oldest message when the queue is full (counted), and holds up nobody. Alerts that stay are sent
// again every `repeat_s`, so that a lost message is not the last word.
// Webhook: POST of Alertmanager's webhook JSON, version 4. Alertmanager: POST /api/v2/alerts.
// URLs are secrets: no message or log line contains them. Thread-safe. RT: no.
// Source: prometheus.io/docs/alerting/latest/configuration (webhook_config), Alertmanager's
// api/v2/openapi.yaml.

#include <array>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/telemetry/catalogue.h"
#include "saferl/telemetry/monitor_metrics.h"

namespace saferl::services {

/// The deployment guide's alerts.
enum class AlertName : uint8_t {
  kSafetyViolation,  ///< critical, as are the next three
  kSystemFailure,
  kHighErrorRate,
  kHighLatency,
  kHighUtilisation,  ///< warning, as are the rest
  kModelDrift,
  kSecurityAnomaly,
  kBackupFailure,
  kCount,
};
std::string_view Name(AlertName name);  ///< "SafetyConstraintViolation", ...
telemetry::Severity SeverityOf(AlertName name);

using AlertLabels = std::map<std::string, std::string>;

struct Alert {
  AlertName name = AlertName::kSystemFailure;
  AlertLabels labels;
  std::string summary;
  int64_t starts_wall_ns = 0;
  int64_t ends_wall_ns = 0;  ///< 0: it is on
  uint64_t count = 1;        ///< how often it was raised
};

struct AlertOptions {
  std::string webhook_url, alertmanager_url;  ///< empty: none
  std::string source = "saferl-monitor";      ///< label `source` of every alert
  double group_wait_s = 0.1, repeat_s = 60, timeout_s = 5;
  double first_pause_s = 0.5, longest_pause_s = 30;
  size_t max_queue = 64;
};

class Alerts {
 public:
  /// Can what these options ask for be sent from here? kFailedPrecondition: not without libcurl.
  static Status Check(const AlertOptions& options);
  Alerts(const AlertOptions& options, telemetry::Metrics* metrics);
  ~Alerts();  ///< what waits is tried once more, within the time-out
  Alerts(const Alerts&) = delete;
  Alerts& operator=(const Alerts&) = delete;

  void Raise(AlertName name, const AlertLabels& labels, std::string_view summary);
  void Resolve(AlertName name, const AlertLabels& labels);
  /// Those that are on, then the latest that are over; newest first.
  std::vector<Alert> List() const;
  size_t active() const;

 private:
  class Channel;
  void Tell(const Alert& alert);

  AlertOptions options_;
  mutable std::mutex mutex_;
  std::map<std::pair<AlertName, AlertLabels>, Alert> on_;
  std::vector<Alert> over_;  ///< newest last, bounded
  std::vector<std::unique_ptr<telemetry::NotificationMetrics>> notified_;
  std::vector<std::unique_ptr<Channel>> channels_;
};

/// The bodies that are sent; for tests and for routes.
std::string WebhookBody(const std::vector<Alert>& alerts, const std::string& source);
std::string AlertmanagerBody(const std::vector<Alert>& alerts, const std::string& source,
                             int64_t ends_wall_ns);
/// RFC 3339, UTC, milliseconds.
std::string TimeText(int64_t wall_ns);

}  // namespace saferl::services
