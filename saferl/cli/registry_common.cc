#include "saferl/cli/registry_common.h"

#include <unistd.h>

#include <cstdlib>

#include "saferl/base/json.h"
#include "saferl/base/table.h"
#include "saferl/base/text.h"
#include "saferl/cli/serve.h"
#include "saferl/registry/describe.h"
#include "saferl/services/rollouts/operations.h"

namespace saferl::cli {

std::vector<ArgSpec> StoreArgs(std::vector<ArgSpec> more) {
  more.push_back(ConfigFileArg());
  more.push_back(SetArg());
  return more;
}

ArgSpec ModelArg() {
  return {.name = "MODEL", .doc = "a model's name in the registry", .required = true};
}

ArgSpec VersionArg(bool required, std::string doc) {
  return {.name = "VERSION", .doc = std::move(doc), .required = required};
}

ArgSpec WhoArg() {
  return {.name = "--who", .doc = "who does this (default: your user name)", .value_name = "NAME"};
}

StatusOr<OpenedRegistry> OpenFor(const Args& args) {
  OpenedRegistry opened;
  SAFERL_ASSIGN_OR_RETURN(opened.config, ServiceConfigOf(args));
  SAFERL_ASSIGN_OR_RETURN(opened.stores, services::OpenRegistry(opened.config));
  return opened;
}

std::string Who(const Args& args) {
  if (args.has("--who")) return args.text("--who");
  const char* user = std::getenv("USER");
  return user != nullptr && registry::CheckName("who", user).ok() ? std::string(user)
                                                                  : Cat("uid-", ::getuid());
}

StatusOr<registry::Version> VersionOf(const OpenedRegistry& opened, const Args& args, bool newest) {
  const std::string& model = args.text("MODEL");
  const std::string& version = args.text("VERSION");
  if (!newest || !version.empty()) return opened.store()->Find(model, version);
  return services::VersionToDeploy(*opened.store(), model, version);
}

StatusOr<ExitCode> ChangeRollout(
    const Args& args, Console& console,
    const std::function<StatusOr<registry::Rollout>(const OpenedRegistry&, const registry::Rollout&,
                                                    const services::Act&)>& change) {
  SAFERL_ASSIGN_OR_RETURN(const OpenedRegistry opened, OpenFor(args));
  registry::RolloutStore rollouts(opened.store());
  SAFERL_ASSIGN_OR_RETURN(registry::Rollout rollout, rollouts.Latest(args.text("MODEL")));
  SAFERL_ASSIGN_OR_RETURN(rollout, change(opened, rollout, {Who(args), args.text("--reason")}));
  SAFERL_RETURN_IF_ERROR(PrintRollout(opened, rollout, console));
  return ExitCode::kOk;
}

Status PrintRollout(const OpenedRegistry& opened, const registry::Rollout& r, Console& console) {
  registry::RolloutStore rollouts(opened.store());
  SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::JournalEntry> journal,
                          rollouts.Journal(r.id));
  if (console.json()) {
    JsonWriter w;
    w.BeginObject().Key("rollout");
    Write(r, &w);
    w.Key("journal").BeginArray();
    for (const registry::JournalEntry& entry : journal) Write(entry, &w);
    console.Out(w.EndArray().EndObject().Take() + "\n");
    return absl::OkStatus();
  }
  const std::string from = r.from == 0 ? "nothing" : Cat("version ", r.from);
  console.Out(Cat("rollout ", r.id, ": ", r.model, " from ", from, " to version ", r.to, ", ",
                  Name(r.plan.strategy), "\nphase ", Name(r.state.phase), ", ",
                  100 * registry::CanaryShare(r.plan, r.state), " % of robots may run it, ",
                  r.state.approved, " of ", r.plan.approvals, " approvals\n"));
  Table table({"at", "event", "before", "after", "who", "reason"});
  for (size_t column = 1; column < 6; ++column) table.SetAlign(column, Table::Align::kLeft);
  for (const registry::JournalEntry& e : journal) {
    table.Row({registry::IsoTime(e.at_ns), e.event, Cat(Name(e.before.phase)),
               Cat(Name(e.after.phase)), e.who, e.reason});
  }
  console.Out(table.Text(console.colour()));
  return absl::OkStatus();
}

}  // namespace saferl::cli
