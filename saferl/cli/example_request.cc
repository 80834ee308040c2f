// example request: the body of one POST /inference, ready for curl.
#include "saferl/cli/verbs.h"
#include "saferl/control/workload.h"
#include "saferl/safety/filter.h"
#include "saferl/services/decide/decide_message.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunExampleRequest(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const auto safety, safety::LoadSafetyModel(args.text("--robot")));
  control::Workload workload(safety->robot);
  console.Out(services::EncodeDecideRequest(*safety->robot, args.text("--id"), workload.Next()) +
              "\n");
  return ExitCode::kOk;
}

}  // namespace

Verb ExampleRequestVerb() {
  return {.path = {"example", "request"},
          .summary = "print the body of one POST /inference: a robot, people around it, a wish",
          .description = "With --json the same: the answer is JSON either way.",
          .args = {RobotArg(),
                   {.name = "--id",
                    .doc = "which robot asks: the server keeps a session for it",
                    .value_name = "NAME",
                    .fallback = "demo"}},
          .examples = {"saferl example request | curl -s localhost:8001/inference -d @-",
                       "saferl example request --robot arm7 --id arm-3"},
          .run = RunExampleRequest};
}

}  // namespace saferl::cli
