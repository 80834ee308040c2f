#include "saferl/base/config_print.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/base/yaml.h"
#include "saferl/cli/serve.h"
#include "saferl/cli/verbs.h"
#include "saferl/learn/train_config.h"
#include "saferl/safety/filter.h"
#include "saferl/services/config.h"

namespace saferl::cli {
namespace {

/// What a file is, by the keys only that kind has.
std::string KindOf(const Node& node) {
  if (node.Find("kind") != nullptr || node.Find("period_s") != nullptr ||
      node.Find("safety") != nullptr)
    return "robot";
  if (node.Find("environment") != nullptr || node.Find("api") != nullptr ||
      node.Find("database") != nullptr)
    return "service";
  return "train";
}

StatusOr<ExitCode> RunConfigCheck(const Args& args, Console& console) {
  const std::string& file = args.text("FILE");
  SAFERL_ASSIGN_OR_RETURN(const Node node, LoadYaml(file));
  const std::string kind = args.has("--kind") ? args.text("--kind") : KindOf(node);
  std::string effective;
  if (kind == "robot") {
    SAFERL_RETURN_IF_ERROR(safety::LoadSafetyModel(file).status());
  } else if (kind == "service") {
    SAFERL_ASSIGN_OR_RETURN(const services::ServiceConfig config,
                            services::LoadServiceConfig(SourcesHere(file)));
    effective = services::PrintServiceConfig(config, true);
  } else {
    SAFERL_ASSIGN_OR_RETURN(const learn::TrainConfig config,
                            config::Read<learn::TrainConfig>(node));
    effective = config::Print(config, true);
  }
  if (console.json()) {
    console.Out(JsonWriter()
                    .BeginObject()
                    .Field("file", file)
                    .Field("kind", kind)
                    .Field("good", true)
                    .EndObject()
                    .Take() +
                "\n");
  } else {
    console.Out(effective.empty()
                    ? Cat(file, ": good (", kind, ")\n")
                    : Cat("# ", file, ": good (", kind, "); in effect:\n", effective));
  }
  return ExitCode::kOk;
}

}  // namespace

Verb ConfigCheckVerb() {
  return {
      .path = {"config", "check"},
      .summary = "check a config file and print what is in effect",
      .description =
          "The kind is told by the file's keys unless --kind says it. A service's .env (of this "
          "folder) and environment variables count too, as when it starts; secrets are hidden.",
      .args = {{.name = "FILE", .doc = "a YAML file", .required = true},
               {.name = "--kind",
                .doc = "what it is",
                .kind = ArgKind::kChoice,
                .value_name = "KIND",
                .choices = {"train", "robot", "service"}}},
      .examples = {"saferl config check my_training.yaml",
                   "saferl config check config/environments/production.yaml"},
      .run = RunConfigCheck};
}

}  // namespace saferl::cli
