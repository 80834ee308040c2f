#include <fmt/format.h>

#include <optional>

#include "saferl/base/json.h"
#include "saferl/base/progress.h"
#include "saferl/base/table.h"
#include "saferl/base/text.h"
#include "saferl/cli/verbs.h"
#include "saferl/learn/closed_loop_gate.h"
#include "saferl/policy/package.h"
#include "saferl/policy/quantise.h"

namespace saferl::cli {
namespace {

constexpr int kGoldenVectors = 16;
constexpr int kCalibration = 1000;

void WriteSide(const learn::ClosedLoopSide& side, JsonWriter* w) {
  const auto estimate = [w](const char* name, const learn::Estimate& e) {
    w->Key(name).BeginObject().Field("mean", e.mean).Field("low", e.low).Field("high", e.high);
    w->EndObject();
  };
  w->BeginObject();
  estimate("return", side.episode_return);
  estimate("success", side.success);
  w->Field("ticks", side.ticks).Field("collisions", side.collisions);
  w->Field("unproved_moving_ticks", side.unproved_ticks);
  w->Field("interventions", side.interventions).EndObject();
}

void WriteClosedLoop(const learn::ClosedLoopReport& report, JsonWriter* w) {
  w->Key("closed_loop").BeginObject().Field("good", report.good()).Field("task", report.task);
  w->Key("return_difference").BeginObject().Field("mean", report.difference.mean);
  w->Field("low", report.difference.low).Field("high", report.difference.high).EndObject();
  w->Field("return_holds", report.return_holds).Field("no_violations", report.safe);
  w->Key("original");
  WriteSide(report.original, w);
  w->Key("int8");
  WriteSide(report.candidate, w);
  w->EndObject();
}

/// nullopt: the caller asked for none.
StatusOr<std::optional<learn::ClosedLoopReport>> ClosedLoop(
    const Args& args, const std::shared_ptr<const policy::Policy>& original,
    const std::shared_ptr<const policy::Policy>& made, bool quiet) {
  if (args.text("--closed-loop") == "off") return std::nullopt;
  learn::ClosedLoopOptions options;
  options.task = args.text("--task");
  options.episodes = static_cast<int>(args.whole("--episodes"));
  options.drives = static_cast<int>(args.whole("--drives"));
  options.most_loss = args.real("--max-loss");
  options.seed = static_cast<uint64_t>(args.whole("--seed"));
  options.threads = static_cast<int>(args.whole("--threads"));
  Progress progress("closed loop", "episodes",
                    static_cast<uint64_t>(learn::ClosedLoopSteps(options)), quiet);
  options.progress = [&](int done) { progress.Update(static_cast<uint64_t>(done)); };
  const auto report = learn::CompareClosedLoop(original, made, options);
  progress.Finish();
  if (!report.ok())
    return Status(report.status().code(),
                  Cat(report.status().message(),
                      "; --closed-loop off makes the package on the open loop's word alone"));
  return *report;
}

StatusOr<ExitCode> RunPolicyQuantise(const Args& args, Console& console) {
  const auto seed = static_cast<uint64_t>(args.whole("--seed"));
  SAFERL_ASSIGN_OR_RETURN(const auto original, policy::LoadPolicy(args.text("FILE")));
  SAFERL_ASSIGN_OR_RETURN(const policy::PolicySpec spec,
                          policy::Quantise(original->spec(), kCalibration, kGoldenVectors, seed));
  SAFERL_ASSIGN_OR_RETURN(const auto made, policy::Policy::Create(spec));
  SAFERL_ASSIGN_OR_RETURN(
      const policy::QuantisationReport error,
      policy::QuantisationError(*original, *made, args.whole("--samples"), seed));
  SAFERL_ASSIGN_OR_RETURN(const std::string before, policy::EncodePackage(original->spec()));
  SAFERL_ASSIGN_OR_RETURN(const std::string after, policy::EncodePackage(spec));
  std::optional<learn::ClosedLoopReport> closed;
  bool good = error.worst <= args.real("--max-error");
  if (good) {
    SAFERL_ASSIGN_OR_RETURN(closed, ClosedLoop(args, original, made, console.json()));
    good = !closed.has_value() || closed->good();
  }
  if (good) SAFERL_RETURN_IF_ERROR(policy::SavePackage(spec, args.text("--out")));
  if (console.json()) {
    JsonWriter w;
    w.BeginObject().Field("package", args.text("--out")).Field("written", good);
    w.Field("sha256", made->sha256()).Field("from", original->sha256());
    w.Field("samples", error.samples).Field("worst_error", error.worst);
    w.Field("p999_error", error.p999).Field("mean_error", error.mean);
    w.Field("bytes", after.size()).Field("bytes_before", before.size());
    if (closed.has_value()) WriteClosedLoop(*closed, &w);
    console.Out(w.EndObject().Take() + "\n");
  } else {
    console.Out(
        fmt::format("{} {}: {} -> {} bytes; error of the action, of its scale: worst {:.2g}, "
                    "p99.9 {:.2g}, mean {:.2g} over {} observations\n",
                    good ? "wrote" : "did not write", args.text("--out"), before.size(),
                    after.size(), error.worst, error.p999, error.mean, error.samples));
    if (closed.has_value()) console.Out(closed->Text(args.real("--max-loss")) + "\n");
  }
  return good ? ExitCode::kOk : ExitCode::kNo;
}

}  // namespace

Verb PolicyQuantiseVerb() {
  return {.path = {"policy", "quantise"},
          .summary = "make an int8 package from a model package, and measure what it loses",
          .description =
              "The layers between the first and the last become int8. The error is measured on "
              "observations spread twice as wide as in training; then both packages play the same "
              "episodes of their task and the same drives with people and the filter. Exit code 1, "
              "and nothing written, when the worst error is above --max-error, when the 95 % "
              "interval of the return's loss reaches beyond --max-loss, or when a drive with the "
              "int8 package breaks a promise (it must break none).",
          .args = {{.name = "FILE", .doc = "a model package", .required = true},
                   {.name = "--out",
                    .doc = "the package to write",
                    .value_name = "FILE",
                    .required = true},
                   {.name = "--max-error",
                    .doc = "largest error of an action, as a part of its scale",
                    .kind = ArgKind::kReal,
                    .value_name = "E",
                    .fallback = "0.05",
                    .min = 0,
                    .max = 2},
                   {.name = "--samples",
                    .doc = "observations that are compared",
                    .kind = ArgKind::kWhole,
                    .value_name = "N",
                    .fallback = "100000",
                    .min = 100,
                    .max = 1e8},
                   {.name = "--closed-loop",
                    .doc = "compare how both drive; off: the error of actions alone decides",
                    .kind = ArgKind::kChoice,
                    .value_name = "ON",
                    .fallback = "on",
                    .choices = {"on", "off"}},
                   {.name = "--task",
                    .doc = "the task they play (default: the package's own)",
                    .value_name = "TASK"},
                   {.name = "--max-loss",
                    .doc = "largest loss of the mean return, as a part of it",
                    .kind = ArgKind::kReal,
                    .value_name = "L",
                    .fallback = "0.02",
                    .min = 0,
                    .max = 1},
                   {.name = "--episodes",
                    .doc = "of the task, each played by both",
                    .kind = ArgKind::kWhole,
                    .value_name = "N",
                    .fallback = "2048",
                    .min = 2,
                    .max = 1e6},
                   {.name = "--drives",
                    .doc = "with people and the filter, each by both; 0: none",
                    .kind = ArgKind::kWhole,
                    .value_name = "N",
                    .fallback = "27",
                    .min = 0,
                    .max = 1e4},
                   SeedArg(),
                   ThreadsArg()},
          .examples = {"saferl policy quantise out/wheelchair.policy --out out/wheelchair8.policy"},
          .run = RunPolicyQuantise};
}

}  // namespace saferl::cli
