#include "saferl/cli/verbs.h"

namespace saferl::cli {

std::vector<Verb> Verbs() {
  return {
      UpVerb(),
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
      ConfigCheckVerb(),
      ConfigExplainVerb(),
      RegistryPushVerb(),
      RegistryListVerb(),
      RegistryShowVerb(),
      RegistryHistoryVerb(),
      RegistryValidateVerb(),
      RegistryKeyVerb(),
      RegistrySignVerb(),
      RegistryApproveVerb(),
      RegistryDeployVerb(),
      RegistryStatusVerb(),
      RegistryPromoteVerb(),
      RegistryRollbackVerb(),
      RegistryQuarantineVerb(),
      RegistryGcVerb(),
      VersionVerb(),
      CompletionVerb(),
  };
}

}  // namespace saferl::cli
