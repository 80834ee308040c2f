#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/cli/verbs.h"
#include "saferl/policy/policy.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunPolicyExport(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const policy::PolicySpec spec, policy::ReadPackage(args.text("FILE")));
  SAFERL_RETURN_IF_ERROR(policy::ExportOnnx(spec, args.text("--onnx")));
  if (console.json()) {
    console.Out(JsonWriter().BeginObject().Field("onnx", args.text("--onnx")).EndObject().Take() +
                "\n");
  } else {
    console.Out(Cat("wrote ", args.text("--onnx"), "\n"));
  }
  return ExitCode::kOk;
}

}  // namespace

Verb PolicyExportVerb() {
  return {.path = {"policy", "export"},
          .summary = "write a model package as ONNX, normaliser and scale included",
          .description = "",
          .args = {{.name = "FILE", .doc = "a model package", .required = true},
                   {.name = "--onnx",
                    .doc = "the ONNX file to write",
                    .value_name = "OUT",
                    .required = true}},
          .examples = {"saferl policy export out/wheelchair.policy --onnx wheelchair.onnx"},
          .run = RunPolicyExport};
}

}  // namespace saferl::cli
