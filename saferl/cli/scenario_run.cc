#include "saferl/base/data_path.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/cli/verbs.h"
#include "saferl/sim/scenario.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunScenarioRun(const Args& args, Console& console) {
  // Every file is read before any is run: bad input is found at once.
  std::vector<sim::Scenario> scenarios;
  for (const std::string& name : args.All("FILE")) {
    SAFERL_ASSIGN_OR_RETURN(const std::string file, FindNamed(name, "scenarios", ".yaml"));
    SAFERL_ASSIGN_OR_RETURN(sim::Scenario scenario, sim::LoadScenario(file));
    scenarios.push_back(std::move(scenario));
  }
  JsonWriter w;
  w.BeginObject().Key("scenarios").BeginArray();
  int64_t failed = 0;
  for (const sim::Scenario& scenario : scenarios) {
    SAFERL_ASSIGN_OR_RETURN(const sim::ScenarioReport report, sim::RunScenario(scenario));
    failed += !report.Passed();
    w.BeginObject()
        .Field("name", scenario.name)
        .Field("robot", scenario.robot)
        .Field("passed", report.Passed());
    w.Field("goal_reached", report.result.goal_reached).Field("time_s", report.result.time_s);
    w.Field("collision", report.result.collision != sim::Hit::kNothing);
    w.Field("min_moving_separation_m", report.result.min_moving_separation_m);
    w.Field("failures", report.failures).EndObject();
    if (!console.json()) console.Out(sim::ToText(scenario, report));
  }
  w.EndArray().Field("run", scenarios.size()).Field("failed", failed).EndObject();
  if (console.json()) console.Out(w.Take() + "\n");
  return failed == 0 ? ExitCode::kOk : ExitCode::kNo;
}

}  // namespace

Verb ScenarioRunVerb() {
  return {.path = {"scenario", "run"},
          .summary = "run scenario files and compare what happens with what they expect",
          .description = "Exit code 1 when an expectation is not met.",
          .args = {{.name = "FILE",
                    .doc = "a scenario file, or a name of data/scenarios",
                    .required = true,
                    .repeated = true}},
          .examples = {"saferl scenario run data/scenarios/*.yaml"},
          .run = RunScenarioRun};
}

}  // namespace saferl::cli
