#include "saferl/base/json.h"
#include "saferl/base/table.h"
#include "saferl/base/text.h"
#include "saferl/cli/registry_common.h"
#include "saferl/cli/verbs.h"
#include "saferl/registry/describe.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunHistory(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const OpenedRegistry opened, OpenFor(args));
  int64_t number = 0;
  if (args.has("VERSION")) {
    SAFERL_ASSIGN_OR_RETURN(const registry::Version version, VersionOf(opened, args, false));
    number = version.number;
  }
  SAFERL_ASSIGN_OR_RETURN(
      const std::vector<registry::Event> events,
      opened.store()->History(args.text("MODEL"), number, static_cast<int>(args.whole("--limit"))));
  JsonWriter w;
  w.BeginObject().Field("model", args.text("MODEL")).Key("events").BeginArray();
  Table table({"at", "version", "what", "who", "detail"});
  for (size_t column = 2; column < 5; ++column) table.SetAlign(column, Table::Align::kLeft);
  for (const registry::Event& e : events) {
    table.Row(
        {registry::IsoTime(e.at_ns), e.number == 0 ? "" : Cat(e.number), e.kind, e.who, e.detail});
    Write(e, &w);
  }
  console.Out(console.json() ? w.EndArray().EndObject().Take() + "\n"
                             : table.Text(console.colour()));
  return ExitCode::kOk;
}

}  // namespace

Verb RegistryHistoryVerb() {
  return {.path = {"registry", "history"},
          .summary = "everything that happened to a model, newest first: who, what, when",
          .description = "Events are never removed, not even with the model.",
          .args = StoreArgs({ModelArg(),
                             VersionArg(false, "this version only"),
                             {.name = "--limit",
                              .doc = "at most so many",
                              .kind = ArgKind::kWhole,
                              .value_name = "N",
                              .fallback = "100",
                              .min = 1,
                              .max = 100000}}),
          .examples = {"saferl registry history arm7", "saferl registry history arm7 3 --json"},
          .run = RunHistory};
}

}  // namespace saferl::cli
