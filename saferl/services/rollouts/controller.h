#pragma once
// Controller: steers every active rollout by what the robots' evidence says.
//
// Step() takes the controllers' lease, then for each active rollout reads evidence, judges it
// (judge.h) and gives at most one event to the registry, which keeps event, state and effect in one
// transaction. It holds no statistics: a controller that died is replaced by any other, which reads
// the same journal and evidence. An event is applied only to the state that was judged; a
// controller that lost its lease meanwhile changes nothing.
// A rollback ends ("all stable") when no robot can run the new version any more: every lease has
// ended by the registry's clock, and by this controller's monotonic clock a whole lease has passed
// since it first saw the rollback; a jump of either clock alone cannot shorten it. Both are
// lengthened for robots whose clock is slow.
// Without evidence a rollout holds, and goes back after plan.max_hold_s.
// Errors: the first that a rollout met; the others are steered nevertheless. RT: no.

#include <map>
#include <string>

#include "saferl/services/rollouts/judge.h"

namespace saferl::services {

struct ControllerOptions {
  std::string holder = "controller";  ///< of the controllers' lease; one per process
  double control_s = 10;              ///< its length
  double clock_drift = 0.01;          ///< how slow a robot's clock may run
  double tick_s = 0.1;                ///< a robot's longest tick
  RolloutRules judge;
};

struct StepReport {
  bool in_control = false;
  int active = 0, changed = 0;
};

class Controller {
 public:
  /// Both must outlive this.
  Controller(registry::Store* store, Evidence* evidence, const ControllerOptions& options);
  /// `now_ns`: CLOCK_MONOTONIC.
  StatusOr<StepReport> Step(int64_t now_ns);

 private:
  StatusOr<bool> Steer(const registry::Rollout& rollout, int64_t now_ns);
  StatusOr<std::optional<RolloutVerdict>> Decide(const registry::Rollout& rollout, int64_t now_ns);
  StatusOr<bool> SurelyStable(const registry::Rollout& rollout, int64_t now_ns);

  registry::Store* store_;
  registry::RolloutStore rollouts_;
  Evidence* evidence_;
  ControllerOptions options_;
  uint64_t steps_ = 0;
  std::map<std::string, int64_t> rolling_back_since_;  ///< monotonic, by rollout
};

}  // namespace saferl::services
