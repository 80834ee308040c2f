#include "saferl/base/text.h"
#include "saferl/cli/registry_common.h"
#include "saferl/cli/verbs.h"

namespace saferl::cli {
namespace {

using registry::Phase;
using registry::RolloutEvent;

/// What "go on" means in each phase. Going on without the gates is an override and says so.
StatusOr<RolloutEvent> Forward(const registry::Rollout& rollout, bool force) {
  const Phase phase = rollout.state.phase;
  if (phase == Phase::kAwaitApproval) return RolloutEvent::kApprove;
  if (phase == Phase::kHold) return RolloutEvent::kResume;
  if (IsTerminal(phase) || phase == Phase::kRollingBack)
    return absl::FailedPreconditionError(
        Cat("rollout ", rollout.id, " is ", Name(phase), "; start another with registry deploy"));
  if (!force)
    return absl::FailedPreconditionError(
        Cat("rollout ", rollout.id, " is in ", Name(phase),
            ": its gates decide; --force with a --reason goes on without them"));
  return RolloutEvent::kAccept;
}

StatusOr<ExitCode> RunPromote(const Args& args, Console& console) {
  if (args.flag("--force") && !args.has("--reason"))
    return absl::InvalidArgumentError("--reason: is missing; an override needs one");
  SAFERL_ASSIGN_OR_RETURN(const OpenedRegistry opened, OpenFor(args));
  registry::RolloutStore rollouts(opened.store());
  SAFERL_ASSIGN_OR_RETURN(registry::Rollout rollout, rollouts.Latest(args.text("MODEL")));
  SAFERL_ASSIGN_OR_RETURN(const RolloutEvent event, Forward(rollout, args.flag("--force")));
  SAFERL_ASSIGN_OR_RETURN(const registry::Version version,
                          opened.store()->Find(rollout.model, Cat(rollout.to)));
  SAFERL_RETURN_IF_ERROR(services::CheckDeployable(opened.config, *opened.store(), version));
  const std::string reason =
      Cat(event == RolloutEvent::kAccept ? "override of the gates: " : "", args.text("--reason"));
  SAFERL_ASSIGN_OR_RETURN(rollout, rollouts.Apply(rollout.id, event, Who(args), reason));
  SAFERL_RETURN_IF_ERROR(PrintRollout(opened, rollout, console));
  return ExitCode::kOk;
}

}  // namespace

Verb RegistryPromoteVerb() {
  return {.path = {"registry", "promote"},
          .summary = "let a rollout go on: approve it, end a hold, or override its gates",
          .description =
              "While it waits for approval this is your approval; on hold it resumes; elsewhere "
              "the gates decide unless --force says otherwise.",
          .args = StoreArgs(
              {ModelArg(),
               {.name = "--reason", .doc = "why", .value_name = "TEXT"},
               {.name = "--force", .doc = "go on without the gates", .kind = ArgKind::kFlag},
               WhoArg()}),
          .examples = {"saferl registry promote arm7 --who bob --reason 'shadow looks good'"},
          .run = RunPromote};
}

}  // namespace saferl::cli
