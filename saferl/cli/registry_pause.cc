#include "saferl/cli/registry_common.h"
#include "saferl/cli/verbs.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunPause(const Args& args, Console& console) {
  return ChangeRollout(
      args, console,
      [](const OpenedRegistry& opened, const registry::Rollout& rollout, const services::Act& act) {
        return services::Pause(opened.store(), rollout, act);
      });
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
