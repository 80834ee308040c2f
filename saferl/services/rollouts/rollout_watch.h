#pragma once
// RolloutWatch: the rollouts that this process steers, as metrics: phase, share, the gates'
// e-values, rollbacks by cause and how long they took. RT: no. Errors: what a store says; the next
// turn tries again. One thread at a time.

#include <map>
#include <memory>
#include <string>

#include "saferl/registry/rollouts_store.h"
#include "saferl/services/rollouts/judge.h"
#include "saferl/telemetry/catalogue.h"

namespace saferl::services {

class RolloutWatch {
 public:
  /// All must outlive it.
  RolloutWatch(registry::Store* store, Evidence* evidence, const RolloutRules& rules,
               telemetry::Metrics* metrics);
  ~RolloutWatch();
  /// After each step of the controller.
  Status Turn();

 private:
  telemetry::RolloutMetrics* Of(const std::string& model);
  Status Show(const registry::Rollout& rollout);
  Status CountRollback(const registry::Rollout& rollout);

  registry::RolloutStore rollouts_;
  Evidence* evidence_;
  const RolloutRules rules_;
  telemetry::Metrics* metrics_;
  std::map<std::string, std::unique_ptr<telemetry::RolloutMetrics>> known_;  ///< by model
  std::map<std::string, registry::Phase> active_;  ///< by rollout, as it was last shown
};

}  // namespace saferl::services
