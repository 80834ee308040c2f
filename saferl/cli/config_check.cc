#include <algorithm>
#include <vector>

#include "saferl/base/config_print.h"
#include "saferl/base/json.h"
#include "saferl/base/log.h"
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

/// Variables of .env that nobody here reads.
void Report(const services::ServiceConfig& config, JsonWriter* answer) {
  constexpr size_t kMost = 50;
  WarnOfMisspelt(config);
  std::vector<std::string> others;
  answer->Key("misspelt").BeginArray();
  for (const services::UnknownVariable& variable : config.unknown) {
    if (variable.nearest.empty()) {
      others.push_back(variable.name);
      continue;
    }
    answer->BeginObject().Field("variable", variable.name).Field("nearest", variable.nearest);
    answer->EndObject();
  }
  answer->EndArray().Key("not_ours").BeginArray();
  for (const std::string& name : others) answer->Value(name);
  answer->EndArray();
  if (others.empty()) return;
  const size_t more = others.size() - std::min(others.size(), kMost);
  others.resize(others.size() - more);
  Log(LogLevel::kInfo, ".env: variables that are not ours",
      {{"variables", Join(others, ", ")}, {"more", more}});
}

StatusOr<ExitCode> RunConfigCheck(const Args& args, Console& console) {
  const std::string& file = args.text("FILE");
  SAFERL_ASSIGN_OR_RETURN(const Node node, LoadYaml(file));
  const std::string kind = args.has("--kind") ? args.text("--kind") : KindOf(node);
  std::string effective;
  JsonWriter answer;
  answer.BeginObject().Field("file", file).Field("kind", kind).Field("good", true);
  if (kind == "robot") {
    SAFERL_RETURN_IF_ERROR(safety::LoadSafetyModel(file).status());
  } else if (kind == "service") {
    SAFERL_ASSIGN_OR_RETURN(const services::ServiceConfig config,
                            services::LoadServiceConfig(SourcesHere(file)));
    effective = services::PrintServiceConfig(config, true);
    Report(config, &answer);
  } else {
    SAFERL_ASSIGN_OR_RETURN(const learn::TrainConfig config,
                            config::Read<learn::TrainConfig>(node));
    effective = config::Print(config, true);
  }
  if (console.json()) {
    console.Out(answer.EndObject().Take() + "\n");
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
          "folder) and environment variables count too, as when it starts; secrets are hidden. A "
          "variable of .env that looks like a misspelling of one of ours is warned of.",
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
