#include "saferl/base/progress.h"
#include "saferl/base/text.h"
#include "saferl/cli/bench_common.h"
#include "saferl/cli/machine.h"
#include "saferl/cli/verbs.h"
#include "saferl/learn/trainer.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunBenchTrain(const Args& args, Console& console) {
  learn::TrainConfig config;
  config.task = args.text("--task");
  config.threads = static_cast<int>(args.whole("--threads"));
  // One iteration more than is run: the check that ends a training is not part of the figure.
  const int iterations = static_cast<int>(args.whole("--iterations"));
  config.iterations = iterations + 1;
  config.evaluation_every = config.iterations;
  SAFERL_ASSIGN_OR_RETURN(const auto trainer, learn::Trainer::Create(config));
  learn::IterationReport last;
  Progress progress("bench train", "iterations", static_cast<uint64_t>(iterations), console.json());
  for (int i = 0; i < iterations; ++i) {
    last = trainer->Iterate();
    progress.Update(static_cast<uint64_t>(i + 1));
  }
  progress.Finish();
  if (console.json()) {
    JsonWriter w;
    w.BeginObject()
        .Field("task", config.task)
        .Field("steps", last.steps)
        .Field("steps_per_s", last.steps_per_s);
    w.Field("threads", config.threads);
    WriteMachine(DescribeMachine(), &w);
    console.Out(w.EndObject().Take() + "\n");
  } else {
    console.Out(Cat(config.task, ": ", HumanCount(last.steps_per_s), " steps/s on ", config.threads,
                    " threads (", HumanCount(static_cast<double>(last.steps)), " steps)\n"));
  }
  return ExitCode::kOk;
}

}  // namespace

Verb BenchTrainVerb() {
  return {.path = {"bench", "train"},
          .summary = "steps per second of training: rollouts, advantages and updates",
          .description = "",
          .args = {{.name = "--task",
                    .doc = "what is learnt",
                    .value_name = "TASK",
                    .fallback = "wheelchair"},
                   {.name = "--iterations",
                    .doc = "updates",
                    .kind = ArgKind::kWhole,
                    .value_name = "N",
                    .fallback = "10",
                    .min = 1,
                    .max = 1e6},
                   ThreadsArg()},
          .examples = {"saferl bench train", "saferl bench train --threads 1 --json"},
          .run = RunBenchTrain};
}

}  // namespace saferl::cli
