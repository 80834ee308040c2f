#include "saferl/services/rollouts/operations.h"

#include "saferl/base/text.h"
#include "saferl/services/stores.h"

namespace saferl::services {
namespace {

using registry::Phase;
using registry::Rollout;
using registry::RolloutEvent;

/// What "go on" means in each phase. Going on without the gates is an override and says so.
StatusOr<RolloutEvent> Forward(const Rollout& rollout, bool force) {
  const Phase phase = rollout.state.phase;
  if (phase == Phase::kAwaitApproval) return RolloutEvent::kApprove;
  if (phase == Phase::kHold) return RolloutEvent::kResume;
  if (IsTerminal(phase) || phase == Phase::kRollingBack)
    return absl::FailedPreconditionError(
        Cat("rollout ", rollout.id, " is ", Name(phase), "; start another with registry deploy"));
  if (!force)
    return absl::FailedPreconditionError(
        Cat("rollout ", rollout.id, " is in ", Name(phase),
            ": its gates decide; force with a reason goes on without them"));
  return RolloutEvent::kAccept;
}

/// A rollout of this version that has not passed its approval: there an approval is also an event.
StatusOr<std::string> Waiting(registry::Store* store, const registry::Version& version) {
  registry::RolloutStore rollouts(store);
  SAFERL_ASSIGN_OR_RETURN(const std::vector<Rollout> active, rollouts.List(version.model, true, 1));
  if (active.empty() || active[0].to != version.number) return std::string();
  const registry::RolloutState& state = active[0].state;
  const bool matters = Next(active[0].plan, state, RolloutEvent::kApprove) != state;
  return matters ? active[0].id : std::string();
}

}  // namespace

StatusOr<registry::RolloutPlan> PlanOf(const PlanWishes& wishes) {
  SAFERL_ASSIGN_OR_RETURN(const registry::Strategy strategy,
                          registry::ParseStrategy(wishes.strategy));
  registry::RolloutPlan plan = registry::PlanFor(strategy, 0.01 * wishes.canary_percentage);
  plan.approvals = wishes.approvals.value_or(plan.approvals);
  plan.min_dwell_s = wishes.min_dwell_s.value_or(plan.min_dwell_s);
  plan.min_exposure_h = wishes.min_exposure_h.value_or(plan.min_exposure_h);
  plan.bake_s = wishes.bake_s.value_or(plan.bake_s);
  plan.max_hold_s = wishes.max_hold_s.value_or(plan.max_hold_s);
  plan.lease_s = wishes.lease_s.value_or(plan.lease_s);
  if (!wishes.shadow && strategy == registry::Strategy::kShadow)
    return absl::InvalidArgumentError("shadow: a shadow rollout is nothing else");
  if (!wishes.shadow) plan.shadow_first = false;
  SAFERL_RETURN_IF_ERROR(plan.Validate());
  return plan;
}

StatusOr<registry::Version> VersionToDeploy(const registry::Store& store, const std::string& model,
                                            const std::string& version) {
  if (!version.empty()) return store.Find(model, version);
  SAFERL_RETURN_IF_ERROR(store.FindModel(model).status());
  registry::Search search;
  search.where = {
      {registry::Condition::Field::kName, registry::Condition::Op::kEqual, "", {model}}};
  search.limit = 1;
  SAFERL_ASSIGN_OR_RETURN(std::vector<registry::Version> versions, store.ListVersions(search));
  if (versions.empty())
    return absl::NotFoundError(Cat("model '", model, "' has no version; push one first"));
  return std::move(versions[0]);
}

StatusOr<Rollout> Deploy(const ServiceConfig& config, registry::Store* store,
                         const registry::Version& version, const registry::RolloutPlan& plan,
                         const std::string& who) {
  SAFERL_RETURN_IF_ERROR(CheckDeployable(config, *store, version));
  return registry::RolloutStore(store).Start(version, plan, who);
}

StatusOr<Rollout> Promote(const ServiceConfig& config, registry::Store* store,
                          const Rollout& rollout, bool force, const Act& act) {
  if (force && act.reason.empty())
    return absl::InvalidArgumentError("reason: is missing; an override needs one");
  SAFERL_ASSIGN_OR_RETURN(const RolloutEvent event, Forward(rollout, force));
  SAFERL_ASSIGN_OR_RETURN(const registry::Version version,
                          store->Find(rollout.model, Cat(rollout.to)));
  SAFERL_RETURN_IF_ERROR(CheckDeployable(config, *store, version));
  const bool override = event == RolloutEvent::kAccept;
  return registry::RolloutStore(store).ApplyTo(
      rollout, event, act.who, Cat(override ? "override of the gates: " : "", act.reason));
}

StatusOr<Rollout> Pause(registry::Store* store, const Rollout& rollout, const Act& act) {
  const Phase phase = rollout.state.phase;
  if (!rollout.active || phase == Phase::kRollingBack || phase == Phase::kRegistered)
    return absl::FailedPreconditionError(
        Cat("rollout ", rollout.id, " is ", Name(phase), "; there is nothing to hold"));
  return registry::RolloutStore(store).ApplyTo(rollout, RolloutEvent::kPause, act.who, act.reason);
}

StatusOr<Rollout> Rollback(registry::Store* store, const Rollout& rollout, bool quarantine,
                           const Act& act) {
  if (!rollout.active)
    return absl::FailedPreconditionError(
        Cat("rollout ", rollout.id, " is ", Name(rollout.state.phase),
            "; to go back to an older version deploy it: saferl registry deploy ", rollout.model,
            " --model-version N --deployment-strategy blue-green"));
  registry::RolloutStore rollouts(store);
  if (quarantine) return rollouts.Apply(rollout.id, RolloutEvent::kReject, act.who, act.reason);
  if (rollout.state.phase == Phase::kAwaitApproval) {
    auto denied = rollouts.ApplyTo(rollout, RolloutEvent::kDeny, act.who, act.reason);
    if (!absl::IsAborted(denied.status())) return denied;  // else it was approved meanwhile
  }
  return rollouts.Apply(rollout.id, RolloutEvent::kAbort, act.who, act.reason);
}

StatusOr<std::string> Approve(registry::Store* store, const registry::Version& version,
                              const Act& act) {
  SAFERL_ASSIGN_OR_RETURN(std::string rollout, Waiting(store, version));
  if (rollout.empty()) {
    SAFERL_RETURN_IF_ERROR(store->Approve(version.model, version.number, act.who, act.reason));
  } else {
    SAFERL_RETURN_IF_ERROR(registry::RolloutStore(store)
                               .Apply(rollout, RolloutEvent::kApprove, act.who, act.reason)
                               .status());
  }
  return rollout;
}

}  // namespace saferl::services
