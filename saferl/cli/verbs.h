#pragma once
// Every verb, one file each. Verbs() is the whole list in the order of the help text. RT: no.

#include <vector>

#include "saferl/cli/verb.h"

namespace saferl::cli {

Verb TrainVerb();
Verb EvaluateVerb();
Verb DriveVerb();
Verb ReplayVerb();
Verb PolicyShowVerb();
Verb PolicyExportVerb();
Verb PolicyImportVerb();
Verb PolicyQuantiseVerb();
Verb PolicyVerifyVerb();
Verb RobotCheckVerb();
Verb ProveSafetyVerb();
Verb ProveRecordingsVerb();
Verb ScenarioRunVerb();
Verb CertifyVerb();
Verb BenchTickVerb();
Verb BenchQpVerb();
Verb BenchPolicyVerb();
Verb BenchTrainVerb();
Verb BenchProgressVerb();
Verb BenchGatesVerb();
Verb ConfigCheckVerb();
Verb ConfigExplainVerb();
Verb ExampleRequestVerb();
Verb UpVerb();
Verb MonitorVerb();
Verb MonitorStatusVerb();
Verb MonitorClearVerb();
Verb MonitorVerifyVerb();
Verb DemoVerb();
Verb ProfileCpuVerb();
Verb ProfileMemoryVerb();
Verb RegistryPushVerb();
Verb RegistryListVerb();
Verb RegistryShowVerb();
Verb RegistryHistoryVerb();
Verb RegistryValidateVerb();
Verb RegistryKeyVerb();
Verb RegistrySignVerb();
Verb RegistryApproveVerb();
Verb RegistryDeployVerb();
Verb RegistryStatusVerb();
Verb RegistryPromoteVerb();
Verb RegistryPauseVerb();
Verb RegistryRollbackVerb();
Verb RegistryQuarantineVerb();
Verb RegistryGcVerb();
Verb VersionVerb();
Verb CompletionVerb();

std::vector<Verb> Verbs();

}  // namespace saferl::cli
