#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/cli/registry_common.h"
#include "saferl/cli/verbs.h"
#include "saferl/registry/describe.h"
#include "saferl/services/rollouts/operations.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunApprove(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const OpenedRegistry opened, OpenFor(args));
  SAFERL_ASSIGN_OR_RETURN(const registry::Version version, VersionOf(opened, args, false));
  SAFERL_ASSIGN_OR_RETURN(
      const std::string rollout,
      services::Approve(opened.store(), version, {Who(args), args.text("--note")}));
  SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::Approval> approvals,
                          opened.store()->Approvals(version.model, version.number));
  if (console.json()) {
    JsonWriter w;
    w.BeginObject().Field("model", version.model).Field("version", version.number);
    w.Field("rollout", rollout).Key("approvals").BeginArray();
    for (const registry::Approval& a : approvals) Write(a, &w);
    console.Out(w.EndArray().EndObject().Take() + "\n");
  } else {
    console.Out(Cat(version.model, " version ", version.number, ": ", approvals.size(),
                    " approvals", rollout.empty() ? "" : Cat("; told rollout ", rollout), "\n"));
  }
  return ExitCode::kOk;
}

}  // namespace

Verb RegistryApproveVerb() {
  return {
      .path = {"registry", "approve"},
      .summary = "say that robots may run a version",
      .description =
          "Each approval is another person's, and never the pusher's. A rollout that waits for "
          "it goes on.",
      .args = StoreArgs({ModelArg(),
                         VersionArg(true, "a number or an alias"),
                         {.name = "--note", .doc = "what it rests on", .value_name = "TEXT"},
                         WhoArg()}),
      .examples = {"saferl registry approve arm7 3 --who bob --note 'drove 2 h on the test field'"},
      .run = RunApprove};
}

}  // namespace saferl::cli
