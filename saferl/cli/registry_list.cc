#include "saferl/base/json.h"
#include "saferl/base/table.h"
#include "saferl/base/text.h"
#include "saferl/cli/registry_common.h"
#include "saferl/cli/verbs.h"
#include "saferl/registry/describe.h"

namespace saferl::cli {
namespace {

using registry::IsoTime;

StatusOr<ExitCode> ListModels(const OpenedRegistry& opened, registry::Search search,
                              Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::Model> models,
                          opened.store()->ListModels(search));
  JsonWriter w;
  w.BeginObject().Key("models").BeginArray();
  Table table({"model", "aliases", "updated", "description"});
  for (size_t column = 1; column < 4; ++column) table.SetAlign(column, Table::Align::kLeft);
  for (const registry::Model& model : models) {
    std::vector<std::string> aliases;
    for (const registry::Alias& alias : model.aliases)
      aliases.push_back(Cat(alias.alias, "=", alias.number));
    table.Row({model.name, Join(aliases, " "), IsoTime(model.updated_ns), model.description});
    Write(model, &w);
  }
  console.Out(console.json() ? w.EndArray().EndObject().Take() + "\n"
                             : table.Text(console.colour()));
  return ExitCode::kOk;
}

StatusOr<ExitCode> RunList(const Args& args, Console& console) {
  registry::Search search;
  search.limit = args.whole("--limit");
  SAFERL_ASSIGN_OR_RETURN(const OpenedRegistry opened, OpenFor(args));
  if (!args.has("MODEL")) return ListModels(opened, search, console);
  const std::string& model = args.text("MODEL");
  SAFERL_RETURN_IF_ERROR(opened.store()->FindModel(model).status());
  search.where = {
      {registry::Condition::Field::kName, registry::Condition::Op::kEqual, "", {model}}};
  SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::Version> versions,
                          opened.store()->ListVersions(search));
  JsonWriter w;
  w.BeginObject().Field("model", model).Key("versions").BeginArray();
  Table table({"version", "aliases", "sha256", "author", "created", "state"});
  for (size_t column = 1; column < 6; ++column) table.SetAlign(column, Table::Align::kLeft);
  for (const registry::Version& v : versions) {
    table.Row(
        {Cat(v.number),
         Join(v.aliases, " "),
         v.digest.substr(0, 16),
         v.author,
         IsoTime(v.created_ns),
         {v.quarantined ? "quarantined" : v.stage, v.quarantined ? Colour::kBad : Colour::kNone}});
    Write(v, &w);
  }
  console.Out(console.json() ? w.EndArray().EndObject().Take() + "\n"
                             : table.Text(console.colour()));
  return ExitCode::kOk;
}

}  // namespace

Verb RegistryListVerb() {
  return {.path = {"registry", "list"},
          .summary = "the models of the registry, or the versions of one, newest first",
          .description = "",
          .args = StoreArgs({{.name = "MODEL", .doc = "list its versions"},
                             {.name = "--limit",
                              .doc = "at most so many",
                              .kind = ArgKind::kWhole,
                              .value_name = "N",
                              .fallback = "100",
                              .min = 1,
                              .max = 1000}}),
          .examples = {"saferl registry list", "saferl registry list arm7 --limit 5"},
          .run = RunList};
}

}  // namespace saferl::cli
