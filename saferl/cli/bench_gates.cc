// Rollout gates: false rollbacks of equal policies and power against worse ones, beside naive
// gates on the same events.
#include "saferl/base/json.h"
#include "saferl/base/progress.h"
#include "saferl/base/table.h"
#include "saferl/base/text.h"
#include "saferl/cli/machine.h"
#include "saferl/cli/verbs.h"
#include "saferl/registry/gate_trial.h"

namespace saferl::cli {
namespace {

using registry::GateTally;
using registry::GateTrialOptions;
using registry::kTrialGateNames;
using Tallies = std::array<GateTally, registry::kTrialGates>;

constexpr double kMostFalse = 0.001, kLeastPower = 0.99;
constexpr int kDetectionEvents = 200;

struct Trials {
  GateTrialOptions same, worse;
  Tallies false_alarms, detections;

  double FalseShare(size_t gate) const {
    return static_cast<double>(false_alarms[gate].rejected) / same.simulations;
  }
  double Power(size_t gate) const {
    return static_cast<double>(detections[gate].within_200) / worse.simulations;
  }
  bool kept() const { return FalseShare(0) <= kMostFalse && Power(0) >= kLeastPower; }
};

std::string ToJson(const Trials& trials) {
  JsonWriter w;
  w.BeginObject().Field("simulations", trials.same.simulations);
  w.Field("canary_share", trials.same.share).Field("rate_ratio", trials.worse.ratio);
  w.Field("aa_events", trials.same.events).Key("gates").BeginArray();
  for (size_t g = 0; g < kTrialGateNames.size(); ++g) {
    w.BeginObject().Field("gate", kTrialGateNames[g]);
    w.Field("false_rollbacks", trials.false_alarms[g].rejected);
    w.Field("false_rollback_share", trials.FalseShare(g));
    w.Field("power_within_200_events", trials.Power(g));
    w.Field("median_events_to_rollback", trials.detections[g].median_events).EndObject();
  }
  w.EndArray().Field("kept", trials.kept());
  WriteMachine(DescribeMachine(), &w);
  return w.EndObject().Take();
}

std::string ToText(const Trials& trials, bool colour) {
  Table table({"gate", "false rollbacks", "share", "found within 200 events", "median events"});
  for (size_t g = 0; g < kTrialGateNames.size(); ++g) {
    const auto mark = [g](bool good) {
      return g != 0 ? Colour::kNone : good ? Colour::kGood : Colour::kBad;
    };
    table.Row({Cat(kTrialGateNames[g]), Cat(trials.false_alarms[g].rejected),
               Table::Cell(Cat(Significant(100 * trials.FalseShare(g)), " %"),
                           mark(trials.FalseShare(g) <= kMostFalse)),
               Table::Cell(Cat(Significant(100 * trials.Power(g)), " %"),
                           mark(trials.Power(g) >= kLeastPower)),
               Significant(trials.detections[g].median_events)});
  }
  return Cat(table.Text(colour), "\n", trials.same.simulations,
             " simulated rollouts of equal policies, ", trials.same.events,
             " events each, and as many of one ", Significant(trials.worse.ratio),
             " times worse; the canary has ", Significant(100 * trials.same.share),
             " % of the exposure\n");
}

StatusOr<ExitCode> RunBenchGates(const Args& args, Console& console) {
  Trials trials;
  trials.same.simulations = static_cast<int>(args.whole("--simulations"));
  trials.same.events = static_cast<int>(args.whole("--events"));
  trials.same.share = args.real("--share");
  trials.same.seed = static_cast<uint64_t>(args.whole("--seed"));
  trials.same.threads = static_cast<int>(args.whole("--threads"));
  trials.worse = trials.same;
  trials.worse.ratio = args.real("--ratio");
  trials.worse.events = kDetectionEvents;
  const auto all = 2 * static_cast<uint64_t>(trials.same.simulations);
  Progress progress("simulate", "rollouts", all, console.json());
  trials.false_alarms = registry::RunGateTrial(
      trials.same, [&](int done) { progress.Update(static_cast<uint64_t>(done)); });
  trials.detections = registry::RunGateTrial(
      trials.worse, [&](int done) { progress.Update(all / 2 + static_cast<uint64_t>(done)); });
  progress.Finish();
  console.Out(console.json() ? ToJson(trials) + "\n" : ToText(trials, console.colour()));
  return trials.kept() ? ExitCode::kOk : ExitCode::kNo;
}

}  // namespace

Verb BenchGatesVerb() {
  return {
      .path = {"bench", "gates"},
      .summary = "rollout gates: false rollbacks and power, beside naive gates on the same events",
      .description =
          "Simulates rollouts of equal policies and of a worse one. Exit code 1: the gate "
          "rolled back more than 0.1 % of the equal ones, or found fewer than 99 % of the "
          "worse ones within 200 events.",
      .args = {{.name = "--simulations",
                .doc = "of each kind",
                .kind = ArgKind::kWhole,
                .value_name = "N",
                .fallback = "10000",
                .min = 1,
                .max = 1e7},
               {.name = "--events",
                .doc = "length of a rollout of equal policies",
                .kind = ArgKind::kWhole,
                .value_name = "N",
                .fallback = "2000",
                .min = 1,
                .max = 1e6},
               {.name = "--share",
                .doc = "the canary's part of the exposure",
                .kind = ArgKind::kReal,
                .value_name = "W",
                .fallback = "0.1",
                .min = 0.001,
                .max = 0.999},
               {.name = "--ratio",
                .doc = "how many times worse the worse policy is",
                .kind = ArgKind::kReal,
                .value_name = "R",
                .fallback = "3",
                .min = 1.01,
                .max = 100},
               SeedArg(),
               ThreadsArg()},
      .examples = {"saferl bench gates", "saferl bench gates --ratio 2 --share 0.5 --json"},
      .run = RunBenchGates};
}

}  // namespace saferl::cli
