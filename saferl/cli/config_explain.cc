#include "saferl/base/config_print.h"
#include "saferl/base/json.h"
#include "saferl/base/table.h"
#include "saferl/base/text.h"
#include "saferl/cli/verbs.h"
#include "saferl/learn/train_config.h"
#include "saferl/safety/safety_section.h"
#include "saferl/services/config.h"

namespace saferl::cli {
namespace {

/// The environment variable that sets a field of the services; empty: none.
std::string VariableOf(const std::string& kind, const std::string& field) {
  if (kind != "service") return "";
  for (const services::Variable& variable : services::Variables())
    if (field == variable.field) return variable.name;
  return "";
}

StatusOr<ExitCode> RunConfigExplain(const Args& args, Console& console) {
  const std::string& kind = args.text("KIND");
  const std::vector<config::FieldDoc> docs = kind == "train" ? config::Explain<learn::TrainConfig>()
                                             : kind == "service"
                                                 ? services::ExplainServiceConfig()
                                                 : config::Explain<safety::SafetySection>();
  if (console.json()) {
    JsonWriter w;
    w.BeginObject().Key("fields").BeginArray();
    for (const config::FieldDoc& doc : docs) {
      w.BeginObject()
          .Field("field", doc.path)
          .Field("type", doc.type)
          .Field("default", doc.default_value);
      w.Field("range", doc.range).Field("unit", doc.unit).Field("doc", doc.doc);
      const std::string variable = VariableOf(kind, doc.path);
      if (!variable.empty()) w.Field("variable", variable);
      w.EndObject();
    }
    console.Out(w.EndArray().EndObject().Take() + "\n");
    return ExitCode::kOk;
  }
  Table table({"field", "default", "range", "unit", "meaning"});
  for (size_t i = 1; i < 5; ++i) table.SetAlign(i, Table::Align::kLeft);
  for (const config::FieldDoc& doc : docs) {
    const std::string variable = VariableOf(kind, doc.path);
    table.Row({doc.path, doc.default_value, doc.range, doc.unit,
               variable.empty() ? doc.doc : Cat(doc.doc, " [", variable, "]")});
  }
  console.Out(table.Text(console.colour()));
  return ExitCode::kOk;
}

}  // namespace

Verb ConfigExplainVerb() {
  return {.path = {"config", "explain"},
          .summary = "every field of a config: default, range, unit, meaning",
          .description = "In brackets: the environment variable that sets a service's field.",
          .args = {{.name = "KIND",
                    .doc = "which config",
                    .kind = ArgKind::kChoice,
                    .required = true,
                    .choices = {"train", "safety", "service"}}},
          .examples = {"saferl config explain train", "saferl config explain safety --json"},
          .run = RunConfigExplain};
}

}  // namespace saferl::cli
