#include "saferl/base/json.h"
#include "saferl/base/table.h"
#include "saferl/base/text.h"
#include "saferl/cli/registry_common.h"
#include "saferl/cli/verbs.h"
#include "saferl/registry/describe.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunStatus(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const OpenedRegistry opened, OpenFor(args));
  registry::RolloutStore rollouts(opened.store());
  if (args.has("MODEL")) {
    SAFERL_ASSIGN_OR_RETURN(const registry::Rollout rollout, rollouts.Latest(args.text("MODEL")));
    SAFERL_RETURN_IF_ERROR(PrintRollout(opened, rollout, console));
    return ExitCode::kOk;
  }
  SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::Rollout> all, rollouts.List("", false, 100));
  JsonWriter w;
  w.BeginObject().Key("rollouts").BeginArray();
  Table table({"rollout", "model", "from", "to", "phase", "share", "updated"});
  table.SetAlign(1, Table::Align::kLeft).SetAlign(4, Table::Align::kLeft);
  for (const registry::Rollout& r : all) {
    table.Row({r.id,
               r.model,
               Cat(r.from),
               Cat(r.to),
               {Cat(Name(r.state.phase)), r.active ? Colour::kWarning : Colour::kDim},
               Cat(100 * registry::CanaryShare(r.plan, r.state), " %"),
               registry::IsoTime(r.updated_ns)});
    Write(r, &w);
  }
  console.Out(console.json() ? w.EndArray().EndObject().Take() + "\n"
                             : table.Text(console.colour()));
  return ExitCode::kOk;
}

}  // namespace

Verb RegistryStatusVerb() {
  return {.path = {"registry", "status"},
          .summary = "rollouts: which version, which phase, which share of robots, since when",
          .description = "With MODEL its active or latest rollout and the journal.",
          .args = StoreArgs({{.name = "MODEL", .doc = "this model's rollout in full"}}),
          .examples = {"saferl registry status", "saferl registry status arm7 --json"},
          .run = RunStatus};
}

}  // namespace saferl::cli
