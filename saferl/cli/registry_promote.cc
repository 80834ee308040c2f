#include "saferl/cli/registry_common.h"
#include "saferl/cli/verbs.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunPromote(const Args& args, Console& console) {
  if (args.flag("--force") && !args.has("--reason"))
    return absl::InvalidArgumentError("--reason: is missing; an override needs one");
  return ChangeRollout(args, console,
                       [&args](const OpenedRegistry& opened, const registry::Rollout& rollout,
                               const services::Act& act) {
                         return services::Promote(opened.config, opened.store(), rollout,
                                                  args.flag("--force"), act);
                       });
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
