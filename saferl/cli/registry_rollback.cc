#include "saferl/base/text.h"
#include "saferl/cli/registry_common.h"
#include "saferl/cli/verbs.h"
#include "saferl/services/rollouts/operations.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunRollback(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const OpenedRegistry opened, OpenFor(args));
  registry::RolloutStore rollouts(opened.store());
  SAFERL_ASSIGN_OR_RETURN(registry::Rollout rollout, rollouts.Latest(args.text("MODEL")));
  SAFERL_ASSIGN_OR_RETURN(rollout,
                          services::Rollback(opened.store(), rollout, args.flag("--quarantine"),
                                             {Who(args), args.text("--reason")}));
  SAFERL_RETURN_IF_ERROR(PrintRollout(opened, rollout, console));
  return ExitCode::kOk;
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
