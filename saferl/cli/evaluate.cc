#include "saferl/base/text.h"
#include "saferl/cli/estimate.h"
#include "saferl/cli/verbs.h"
#include "saferl/learn/evaluate_package.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunEvaluate(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const policy::PolicySpec spec, policy::ReadPackage(args.text("FILE")));
  std::string task = args.text("--task");
  if (task.empty()) {
    SAFERL_ASSIGN_OR_RETURN(task, learn::TaskOfPackage(spec));
  }
  learn::TaskSpec task_spec;
  SAFERL_ASSIGN_OR_RETURN(
      const learn::Evaluation evaluation,
      learn::EvaluatePackage(spec, task, learn::TaskUse::kTest,
                             static_cast<int>(args.whole("--episodes")),
                             static_cast<uint64_t>(args.whole("--seed")),
                             static_cast<int>(args.whole("--threads")), &task_spec));
  if (console.json()) {
    JsonWriter w;
    w.BeginObject().Field("package", args.text("FILE")).Field("task", task);
    WriteEvaluation(evaluation, task_spec, task_spec.cost_limits, &w);
    console.Out(w.EndObject().Take() + "\n");
  } else {
    console.Out(EvaluationText(evaluation, task_spec, task_spec.cost_limits, console.colour()));
  }
  return ExitCode::kOk;
}

}  // namespace

Verb EvaluateVerb() {
  return {
      .path = {"evaluate"},
      .summary = "play a policy on worlds it has never seen, without noise, with 95 % intervals",
      .description = "",
      .args = {{.name = "FILE", .doc = "a model package", .required = true},
               {.name = "--task",
                .doc = "the task (default: the package's own)",
                .value_name = "TASK"},
               {.name = "--episodes",
                .doc = "how many",
                .kind = ArgKind::kWhole,
                .value_name = "N",
                .fallback = "256",
                .min = 1,
                .max = 1e6},
               SeedArg(),
               ThreadsArg()},
      .examples = {"saferl evaluate out/wheelchair.policy --episodes 1000"},
      .run = RunEvaluate};
}

}  // namespace saferl::cli
