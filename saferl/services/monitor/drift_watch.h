#pragma once
// DriftWatch: what the detectors of the served versions (policy/drift.h) say, as metrics and as the
// alert ModelDrift, every `every_s` on a thread of its own. Ticks and requests only record.
//
// saferl_drift_pvalue, _statistic, _window_samples: of each version and group of features, with
// test="batch_means"; a version that is unloaded takes its own with it, and its alert is over. The
// alert is on while the detector says "drifting"; the rule of Prometheus reads the p-value.
// References that a detector has learned are kept in `directory` as SHA-256-OF-THE-MODEL.drift and
// given to the next detector of the same bytes, after a restart or a reload: a drift that began
// before is not learned as what is right. A file is written when a group has learned, never again
// for that group; one that is damaged is logged, learned anew and then replaced.
// Errors: logged. RT: no. Units: as drift.h.

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
  /// `directory`: empty: nothing is kept.
  DriftWatch(const ModelHost* models, telemetry::Metrics* metrics, Alerts* alerts,
             std::string directory, double every_s = 1);
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
  /// Of one version: its groups, and which detector they are of.
  struct Known {
    std::weak_ptr<const ServedModel> model;
    size_t kept = 0;        ///< groups in the file
    bool kept_bad = false;  ///< it could not be written: said once
    std::map<std::string, Group> groups;
  };
  using Key = std::pair<std::string, std::string>;  ///< model, version
  std::string PathOf(const ServedModel& model) const;
  void Recall(const ServedModel& model, Known* known);
  void Keep(const ServedModel& model, Known* known);
  void Tell(const Key& key, const policy::DriftReport& report, Group* group);
  void Run();

  const ModelHost* models_;
  telemetry::Metrics* metrics_;
  Alerts* alerts_;
  const std::string directory_;
  const double every_s_;
  std::mutex turn_;  ///< one at a time; guards known_
  std::map<Key, Known> known_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool end_ = false;
  std::thread thread_;
};

/// "drift":[{"feature_group", "state", "p", "statistic", "samples", "features"}], or "no_drift":
/// why the version has no detector; `w` stands in an object.
void WriteDrift(const ServedModel& model, JsonWriter* w);

}  // namespace saferl::services
