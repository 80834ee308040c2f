#include "saferl/cli/verbs.h"
#include "saferl/policy/package.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunPolicyShow(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const auto policy, policy::LoadPolicy(args.text("FILE")));
  console.Out(console.json() ? policy::ShowPolicyJson(*policy) + "\n"
                             : policy::ShowPolicy(*policy));
  return ExitCode::kOk;
}

}  // namespace

Verb PolicyShowVerb() {
  return {.path = {"policy", "show"},
          .summary = "what a model package holds: schema, layers, training record",
          .description = "",
          .args = {{.name = "FILE", .doc = "a model package", .required = true}},
          .examples = {"saferl policy show out/wheelchair.policy",
                       "saferl policy show out/wheelchair.policy --json"},
          .run = RunPolicyShow};
}

}  // namespace saferl::cli
