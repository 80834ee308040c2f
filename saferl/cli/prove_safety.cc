#include "saferl/base/json.h"
#include "saferl/base/progress.h"
#include "saferl/base/table.h"
#include "saferl/cli/verbs.h"
#include "saferl/robot/robot_model.h"
#include "saferl/sim/mutants.h"
#include "saferl/sim/prove.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> ListMutants(const std::string& robot_name, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const auto robot, robot::LoadRobot(robot_name));
  JsonWriter w;
  w.BeginObject().Field("robot", robot->name()).Key("mutants").BeginArray();
  Table table({"mutant", "what is taken away"});
  table.SetAlign(1, Table::Align::kLeft);
  for (const sim::Mutant& mutant : sim::Mutants(robot->kind())) {
    w.BeginObject().Field("name", mutant.name).Field("what", mutant.what).EndObject();
    table.Row({mutant.name, mutant.what});
  }
  w.EndArray().EndObject();
  console.Out(console.json() ? w.Take() + "\n" : table.Text(console.colour()));
  return ExitCode::kOk;
}

StatusOr<ExitCode> RunProveSafety(const Args& args, Console& console) {
  if (args.flag("--list-mutants")) return ListMutants(args.text("--robot"), console);
  sim::ProveOptions options;
  options.robot = args.text("--robot");
  options.ticks = args.whole("--ticks");
  options.seed = static_cast<uint64_t>(args.whole("--seed"));
  options.threads = static_cast<int>(args.whole("--threads"));
  options.mutant = args.text("--mutant");
  options.certify_every = static_cast<int>(args.whole("--certify-every"));
  options.stop_at_violation = args.flag("--stop");
  Progress progress("prove", "ticks", static_cast<uint64_t>(options.ticks), console.json());
  options.progress = [&](int64_t done, int64_t) { progress.Update(static_cast<uint64_t>(done)); };
  SAFERL_ASSIGN_OR_RETURN(const sim::ProveReport report, sim::Prove(options));
  progress.Update(static_cast<uint64_t>(options.ticks));
  progress.Finish();
  console.Out(console.json() ? sim::ToJson(report) + "\n" : sim::ToText(report));
  return report.Passed() ? ExitCode::kOk : ExitCode::kNo;
}

}  // namespace

Verb ProveSafetyVerb() {
  return {
      .path = {"prove", "safety"},
      .summary =
          "hunt for a violation: hostile people, policy and world in a closed loop with the filter",
      .description =
          "Exit code 0 only with 0 violations and 0 uncertified ticks. A mutant is the filter with "
          "one "
          "term of its argument taken away: it must end with exit code 1.",
      .args = {RobotArg(),
               {.name = "--ticks",
                .doc = "how many",
                .kind = ArgKind::kWhole,
                .value_name = "N",
                .fallback = "1000000",
                .min = 1,
                .max = 1e12},
               SeedArg(),
               {.name = "--mutant", .doc = "take this term away", .value_name = "NAME"},
               {.name = "--list-mutants",
                .doc = "list the robot's mutants and stop",
                .kind = ArgKind::kFlag},
               {.name = "--certify-every",
                .doc = "certify each tick of every k-th slot of 250 ticks",
                .kind = ArgKind::kWhole,
                .value_name = "K",
                .fallback = "16",
                .min = 1,
                .max = 1e9},
               {.name = "--stop", .doc = "end at the first violation", .kind = ArgKind::kFlag},
               ThreadsArg()},
      .examples = {"saferl prove safety --robot wheelchair --ticks 10000000 --seed 1",
                   "saferl prove safety --robot arm7 --list-mutants",
                   "saferl prove safety --robot wheelchair --mutant no_epsilon --ticks 250000"},
      .run = RunProveSafety};
}

}  // namespace saferl::cli
