#pragma once
// What people do with rollouts, the same from the command line and over HTTP: start one, let it go
// on, hold it, take it back, agree to it. RT: no. Errors: kInvalidArgument names the field,
// kFailedPrecondition what the rules refuse and what to do instead, the stores'.

#include <optional>
#include <string>

#include "saferl/registry/rollouts_store.h"
#include "saferl/services/config.h"

namespace saferl::services {

/// Who does it, and why.
struct Act {
  std::string who, reason;
};

/// What differs from the strategy's usual plan.
struct PlanWishes {
  std::string strategy = "canary";
  double canary_percentage = 10;  ///< of robots, in the first step of a canary
  std::optional<int> approvals;
  std::optional<double> min_dwell_s, min_exposure_h, bake_s, max_hold_s, lease_s;
  bool shadow = true;  ///< false: skip the shadow phase
};
StatusOr<registry::RolloutPlan> PlanOf(const PlanWishes& wishes);

/// A version by number or alias; empty: the newest.
StatusOr<registry::Version> VersionToDeploy(const registry::Store& store, const std::string& model,
                                            const std::string& version);
/// Signatures are checked as CheckDeployable (stores.h) does.
StatusOr<registry::Rollout> Deploy(const ServiceConfig& config, registry::Store* store,
                                   const registry::Version& version,
                                   const registry::RolloutPlan& plan, const std::string& who);
/// While it waits for approval this approves; on hold it resumes; elsewhere the gates decide unless
/// `force`, which needs a reason. Only while the rollout is as given, else kAborted.
StatusOr<registry::Rollout> Promote(const ServiceConfig& config, registry::Store* store,
                                    const registry::Rollout& rollout, bool force, const Act& act);
/// Holds it where it is: robots keep the versions that they have, no gate moves it forward, a gate
/// that rejects still takes it back. Promote ends the hold; one longer than the plan's max_hold_s
/// is a rollback. Again while it is held: the data's return no longer ends it.
StatusOr<registry::Rollout> Pause(registry::Store* store, const registry::Rollout& rollout,
                                  const Act& act);
/// Never refused while it is active; of one that waits for approval it is the denial. `quarantine`:
/// the version is not rolled out again.
StatusOr<registry::Rollout> Rollback(registry::Store* store, const registry::Rollout& rollout,
                                     bool quarantine, const Act& act);
/// A person agrees; answers the rollout that waited for it, or nothing.
StatusOr<std::string> Approve(registry::Store* store, const registry::Version& version,
                              const Act& act);

}  // namespace saferl::services
