#include "saferl/cli/registry_common.h"
#include "saferl/cli/verbs.h"
#include "saferl/services/rollouts/operations.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunPause(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const OpenedRegistry opened, OpenFor(args));
  registry::RolloutStore rollouts(opened.store());
  SAFERL_ASSIGN_OR_RETURN(registry::Rollout rollout, rollouts.Latest(args.text("MODEL")));
  SAFERL_ASSIGN_OR_RETURN(
      rollout, services::Pause(opened.store(), rollout, {Who(args), args.text("--reason")}));
  SAFERL_RETURN_IF_ERROR(PrintRollout(opened, rollout, console));
  return ExitCode::kOk;
}

}  // namespace

Verb RegistryPauseVerb() {
  return {
      .path = {"registry", "pause"},
      .summary = "hold a rollout where it is until somebody promotes it or takes it back",
      .description =
          "Robots keep the versions that they have. A gate that rejects still takes the version "
          "back, and so does a hold longer than the plan allows (--max-hold-s of deploy).",
      .args = StoreArgs(
          {ModelArg(), {.name = "--reason", .doc = "why", .value_name = "TEXT"}, WhoArg()}),
      .examples = {"saferl registry pause arm7 --who bob --reason 'robot 7 stopped twice, looking'",
                   "saferl registry promote arm7 --reason 'it was a loose cable'"},
      .run = RunPause};
}

}  // namespace saferl::cli
