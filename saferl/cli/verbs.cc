#include "saferl/cli/verbs.h"

namespace saferl::cli {

std::vector<Verb> Verbs() {
  return {TrainVerb(),        EvaluateVerb(),      ReplayVerb(),       PolicyShowVerb(),
          PolicyExportVerb(), PolicyImportVerb(),  PolicyVerifyVerb(), RobotCheckVerb(),
          BenchTickVerb(),    BenchQpVerb(),       BenchPolicyVerb(),  BenchTrainVerb(),
          ConfigCheckVerb(),  ConfigExplainVerb(), VersionVerb(),      CompletionVerb()};
}

}  // namespace saferl::cli
