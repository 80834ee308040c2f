#include "saferl/cli/registry_common.h"
#include "saferl/cli/verbs.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunRollback(const Args& args, Console& console) {
  return ChangeRollout(args, console,
                       [&args](const OpenedRegistry& opened, const registry::Rollout& rollout,
                               const services::Act& act) {
                         return services::Rollback(opened.store(), rollout,
                                                   args.flag("--quarantine"), act);
                       });
}

}  // namespace

Verb RegistryRollbackVerb() {
  return {.path = {"registry", "rollback"},
          .summary = "take a rollout back: every robot returns to the stable version",
          .description =
              "Never refused while a rollout is active, whatever its phase. Robots that cannot be "
              "reached return when their lease ends.",
          .args = StoreArgs({ModelArg(),
                             {.name = "--reason", .doc = "why", .value_name = "TEXT"},
                             {.name = "--quarantine",
                              .doc = "also block the version from being rolled out again",
                              .kind = ArgKind::kFlag},
                             WhoArg()}),
          .examples = {"saferl registry rollback arm7 --reason 'two interventions in one hour'"},
          .run = RunRollback};
}

}  // namespace saferl::cli
