#pragma once
// DriftWatch: what the detectors of the served versions (policy/drift.h) say, as metrics and as the
// alert ModelDrift, every `every_s` on a thread of its own. Ticks and requests only record.
//
// saferl_drift_pvalue, _statistic, _window_samples: of each version and group of features, with
// test="batch_means"; a version that is unloaded takes its own with it, and its alert is over. The
// alert is on while the detector says "drifting"; the rule of Prometheus reads the p-value.
// Errors: none. RT: no. Units: as drift.h.

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "saferl/base/json.h"
#include "saferl/services/inference/model_host.h"
#include "saferl/services/monitor/alerts.h"
#include "saferl/telemetry/operations_metrics.h"

namespace saferl::services {

class DriftWatch {
 public:
  /// All must outlive it.
  DriftWatch(const ModelHost* models, telemetry::Metrics* metrics, Alerts* alerts,
             double every_s = 1);
  ~DriftWatch();
  DriftWatch(const DriftWatch&) = delete;
  DriftWatch& operator=(const DriftWatch&) = delete;
  /// What the thread does; for tests too.
  void Turn();

 private:
  struct Group {
    std::unique_ptr<telemetry::DriftMetrics> metrics;
    bool on = false;
  };
  using Key = std::pair<std::string, std::string>;  ///< model, version
  void Tell(const Key& key, const policy::DriftReport& report, Group* group);
  void Run();

  const ModelHost* models_;
  telemetry::Metrics* metrics_;
  Alerts* alerts_;
  const double every_s_;
  std::mutex turn_;  ///< one at a time; guards known_
  std::map<Key, std::map<std::string, Group>> known_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool end_ = false;
  std::thread thread_;
};

/// "drift":[{"feature_group", "state", "p", "statistic", "samples", "features"}] where the version
/// has a detector; `w` stands in an object.
void WriteDrift(const ServedModel& model, JsonWriter* w);

}  // namespace saferl::services
