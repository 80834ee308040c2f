#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/cli/verbs.h"
#include "saferl/policy/package.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunPolicyVerify(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const policy::PackageReport report,
                          policy::VerifyPackage(args.text("FILE")));
  if (console.json()) {
    JsonWriter w;
    w.BeginObject()
        .Field("path", report.path)
        .Field("name", report.name)
        .Field("robot", report.robot);
    w.Field("sha256", report.sha256).Field("kernel", report.kernel).Field("bytes", report.bytes);
    w.Field("golden_vectors", report.golden_vectors)
        .Field("worst_golden_error", report.worst_golden_error);
    console.Out(w.EndObject().Take() + "\n");
  } else {
    console.Out(Cat(report.path, ": good: ", report.name, " for ", report.robot, ", ", report.bytes,
                    " bytes, ", report.golden_vectors, " golden vectors within ",
                    report.worst_golden_error, " (", report.kernel, "), sha256 ", report.sha256,
                    "\n"));
  }
  return ExitCode::kOk;
}

}  // namespace

Verb PolicyVerifyVerb() {
  return {.path = {"policy", "verify"},
          .summary = "check a model package: digest, schema, golden vectors recomputed",
          .description = "A package that fails a check is bad input: exit code 2.",
          .args = {{.name = "FILE", .doc = "a model package", .required = true}},
          .examples = {"saferl policy verify out/wheelchair.policy"},
          .run = RunPolicyVerify};
}

}  // namespace saferl::cli
