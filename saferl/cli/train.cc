#include <algorithm>
#include <csignal>

#include "saferl/base/file.h"
#include "saferl/base/hash.h"
#include "saferl/base/json.h"
#include "saferl/base/progress.h"
#include "saferl/base/table.h"
#include "saferl/base/text.h"
#include "saferl/base/yaml.h"
#include "saferl/cli/estimate.h"
#include "saferl/cli/train_report.h"
#include "saferl/cli/verbs.h"
#include "saferl/learn/trainer.h"

namespace saferl::cli {
namespace {

volatile std::sig_atomic_t interrupted = 0;
void OnInterrupt(int) { interrupted = 1; }

/// The config: file, then --set, then the flags that have a name of their own.
StatusOr<learn::TrainConfig> ConfigOf(const Args& args) {
  Node node(Node::Kind::kMap, nullptr, 0);
  if (args.has("--config")) {
    SAFERL_ASSIGN_OR_RETURN(node, LoadYaml(args.text("--config")));
    if (node.is_null()) node = Node(Node::Kind::kMap, nullptr, 0);
  }
  for (const std::string& setting : args.All("--set")) {
    const size_t equals = setting.find('=');
    if (equals == std::string::npos) {
      return absl::InvalidArgumentError(
          Cat("--set: '", setting, "' has no '='; write field=value"));
    }
    SAFERL_ASSIGN_OR_RETURN(Node value, ParseYaml(setting.substr(equals + 1), "--set " + setting));
    SAFERL_RETURN_IF_ERROR(node.Set(setting.substr(0, equals), std::move(value)));
  }
  for (const char* name : {"task", "algorithm", "seed", "threads", "iterations"}) {
    const std::string flag = Cat("--", name);
    if (!args.has(flag)) continue;
    SAFERL_ASSIGN_OR_RETURN(Node value, ParseYaml(args.text(flag), flag));
    SAFERL_RETURN_IF_ERROR(node.Set(name, std::move(value)));
  }
  // A short run is checked once, at its end, unless the config says otherwise.
  const Node* iterations = node.Find("iterations");
  if (iterations != nullptr && node.Find("evaluation_every") == nullptr) {
    const int64_t every =
        std::min<int64_t>(learn::TrainConfig().evaluation_every, iterations->AsInt64().value_or(1));
    SAFERL_ASSIGN_OR_RETURN(Node value, ParseYaml(Cat(every), "evaluation_every"));
    SAFERL_RETURN_IF_ERROR(node.Set("evaluation_every", std::move(value)));
  }
  return config::Read<learn::TrainConfig>(node);
}

std::string Note(const learn::IterationReport& report) {
  if (report.check.episodes == 0) return "";
  return Cat("return ", Significant(report.check.episode_return.mean),
             report.feasible ? ", limits kept" : ", limits not kept yet");
}

void Answer(const learn::Trainer& trainer, const learn::Evaluation& test,
            const learn::IterationReport& last, const std::string& out, Console& console) {
  if (console.json()) {
    JsonWriter w;
    w.BeginObject()
        .Field("package", out)
        .Field("task", trainer.spec().name)
        .Field("steps", last.steps);
    w.Field("steps_per_s", last.steps_per_s).Field("keeps_limits", last.feasible);
    WriteEvaluation(test, trainer.spec(), trainer.limits(), &w);
    console.Out(w.EndObject().Take() + "\n");
    return;
  }
  console.Out(EvaluationText(test, trainer.spec(), trainer.limits(), console.colour()));
  console.Out(Cat("\nwrote ", out, "\n"));
}

StatusOr<ExitCode> RunTrain(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const learn::TrainConfig config, ConfigOf(args));
  SAFERL_ASSIGN_OR_RETURN(const std::unique_ptr<learn::Trainer> trainer,
                          learn::Trainer::Create(config));
  const std::string& checkpoint = args.text("--checkpoint");
  if (args.flag("--resume")) {
    if (checkpoint.empty())
      return absl::InvalidArgumentError("--resume: needs --checkpoint FILE; give it");
    if (FileExists(checkpoint)) SAFERL_RETURN_IF_ERROR(trainer->LoadCheckpoint(checkpoint));
  }
  // Find out now, not after an hour, that the answer cannot be written.
  const std::string& out = args.text("--out");
  const size_t slash = out.rfind('/');
  if (slash != std::string::npos && !FileExists(out.substr(0, slash + 1))) {
    return absl::NotFoundError(
        Cat("--out: ", out.substr(0, slash), " does not exist; create that folder"));
  }
  std::unique_ptr<TrainReport> told;
  if (args.has("--report")) {
    SAFERL_ASSIGN_OR_RETURN(told,
                            TrainReport::Begin(args.text("--report"), args.text("--name"), config));
  }
  interrupted = 0;
  const auto before = std::signal(SIGINT, OnInterrupt);
  learn::IterationReport last;
  Status saved;
  {
    Progress progress("train", "iterations", static_cast<uint64_t>(config.iterations),
                      console.json());
    SAFERL_RETURN_IF_ERROR(trainer->Run([&](const learn::IterationReport& report) {
      last = report;
      progress.Update(static_cast<uint64_t>(report.iteration),
                      Cat(HumanCount(report.steps_per_s), " steps/s  ", Note(report)));
      if (told != nullptr && report.checked) told->Progress(report, trainer->spec());
      if (!checkpoint.empty() && report.checked) saved = trainer->SaveCheckpoint(checkpoint);
      return interrupted == 0 && saved.ok();
    }));
  }
  std::signal(SIGINT, before);
  SAFERL_RETURN_IF_ERROR(saved);
  if (!checkpoint.empty()) SAFERL_RETURN_IF_ERROR(trainer->SaveCheckpoint(checkpoint));
  SAFERL_RETURN_IF_ERROR(policy::SavePackage(trainer->Export(args.text("--name")), out));
  SAFERL_ASSIGN_OR_RETURN(const learn::Evaluation test,
                          trainer->Test(static_cast<int>(args.whole("--episodes")), config.seed));
  if (told != nullptr) {
    SAFERL_ASSIGN_OR_RETURN(const std::string package, ReadFile(out));
    told->Finish(!trainer->done(), test, trainer->spec(), Sha256Hex(package));
  }
  Answer(*trainer, test, last, out, console);
  return ExitCode::kOk;
}

}  // namespace

Verb TrainVerb() {
  return {.path = {"train"},
          .summary = "learn a constrained policy and write it as a model package",
          .description =
              "Ctrl-C stops early and keeps the best policy so far. Fields of the config: "
              "saferl config explain train.",
          .args = {{.name = "--out",
                    .doc = "the package to write",
                    .value_name = "FILE",
                    .required = true},
                   {.name = "--config", .doc = "a training config (YAML)", .value_name = "FILE"},
                   {.name = "--set",
                    .doc = "a field of the config",
                    .value_name = "FIELD=VALUE",
                    .repeated = true},
                   {.name = "--task", .doc = "what is learnt", .value_name = "TASK"},
                   {.name = "--algorithm",
                    .doc = "how",
                    .kind = ArgKind::kChoice,
                    .value_name = "NAME",
                    .choices = {"ppo", "ppo_pid", "cpo"}},
                   {.name = "--iterations",
                    .doc = "updates",
                    .kind = ArgKind::kWhole,
                    .value_name = "N",
                    .min = 1},
                   {.name = "--seed",
                    .doc = "same seed, same policy",
                    .kind = ArgKind::kWhole,
                    .value_name = "S",
                    .min = 0},
                   {.name = "--threads",
                    .doc = "does not change the answer",
                    .kind = ArgKind::kWhole,
                    .value_name = "K",
                    .min = 1,
                    .max = 256},
                   {.name = "--name",
                    .doc = "the policy's name",
                    .value_name = "NAME",
                    .fallback = "policy"},
                   {.name = "--episodes",
                    .doc = "episodes of the last test",
                    .kind = ArgKind::kWhole,
                    .value_name = "N",
                    .fallback = "256",
                    .min = 1,
                    .max = 1e6},
                   {.name = "--checkpoint",
                    .doc = "where to keep the run, at every check",
                    .value_name = "FILE"},
                   {.name = "--report",
                    .doc = "a Safe RL API that keeps a record of the run",
                    .value_name = "URL"},
                   {.name = "--resume",
                    .doc = "go on from the checkpoint when it exists",
                    .kind = ArgKind::kFlag}},
          .examples = {"saferl train --out out/wheelchair.policy",
                       "saferl train --algorithm cpo --set cost_limits=[0.05] --iterations 300 "
                       "--out out/cpo.policy"},
          .run = RunTrain};
}

}  // namespace saferl::cli
