#include "saferl/cli/verbs.h"

namespace saferl::cli {

std::vector<Verb> Verbs() {
  return {
      UpVerb(),
      ExampleRequestVerb(),
      MonitorVerb(),
      MonitorStatusVerb(),
      MonitorClearVerb(),
      MonitorVerifyVerb(),
      ProfileCpuVerb(),
      ProfileMemoryVerb(),
      DemoVerb(),
      TrainVerb(),
      EvaluateVerb(),
      DriveVerb(),
      ReplayVerb(),
      CertifyVerb(),
      PolicyShowVerb(),
      PolicyVerifyVerb(),
      PolicyExportVerb(),
      PolicyImportVerb(),
      RobotCheckVerb(),
      ScenarioRunVerb(),
      ProveSafetyVerb(),
      ProveRecordingsVerb(),
      BenchTickVerb(),
      BenchQpVerb(),
      BenchPolicyVerb(),
      BenchTrainVerb(),
      BenchProgressVerb(),
      BenchGatesVerb(),
      ConfigCheckVerb(),
      ConfigExplainVerb(),
      VersionVerb(),
      CompletionVerb(),
  };
}

}  // namespace saferl::cli
