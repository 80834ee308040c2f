#include "saferl/cli/verbs.h"

namespace saferl::cli {

std::vector<Verb> Verbs() {
  return {TrainVerb(),      EvaluateVerb(),     DriveVerb(),        ReplayVerb(),
          PolicyShowVerb(), PolicyExportVerb(), PolicyImportVerb(), PolicyVerifyVerb(),
          RobotCheckVerb(), BenchTickVerb(),    BenchQpVerb(),      BenchPolicyVerb(),
          BenchTrainVerb(), DemoVerb(),         ConfigCheckVerb(),  ConfigExplainVerb(),
          VersionVerb(),    CompletionVerb()};
}

}  // namespace saferl::cli
