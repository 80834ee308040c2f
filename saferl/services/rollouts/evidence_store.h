#pragma once
// EvidenceStore: evidence as rows, so that a controller that was restarted judges the same past.
//
// Report() adds what one robot did since its last report: how long, with which version, how many
// bad events of each kind. A report's id counts once, however often it is sent. Kept are sums per
// arm and slice: at most 10 s, and never across a change of the rollout's state, so that a step is
// judged by its own data. What a judgement reads grows with time, not with robots and events. The
// canary's share of a slice is its part of the time reported in it.
// Time is the registry's, when the report comes: a robot's clock does not matter.
// When a rollout has ended, Tidy() drops its report ids and keeps one sum per arm.
// Errors: kInvalidArgument names the field, kNotFound and kFailedPrecondition the rollout (not
// there, ended); the database's. Safe from any thread. RT: no.

#include <memory>
#include <string>

#include "saferl/services/rollouts/evidence.h"

namespace saferl::services {

struct RobotReport {
  std::string rollout, robot;
  std::string id;       ///< the robot's own: the same again is the same report
  int64_t version = 0;  ///< that ran, or in the shadow would have run; 0: none did
  double seconds = 0;   ///< with it
  BadCounts bad{};      ///< by kind
};

class EvidenceStore : public Evidence {
 public:
  /// `store` must outlive it.
  static StatusOr<std::unique_ptr<EvidenceStore>> Open(registry::Store* store);
  /// False: this report was counted before.
  StatusOr<bool> Report(const RobotReport& report);
  StatusOr<ArmEvidence> Read(const registry::Rollout& rollout, int64_t since_ns) override;
  Status Tidy() override;

 private:
  explicit EvidenceStore(registry::Store* store) : store_(store), rollouts_(store) {}
  Status Collapse(const std::string& rollout);

  registry::Store* store_;
  registry::RolloutStore rollouts_;
};

}  // namespace saferl::services
