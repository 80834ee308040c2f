#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/cli/verbs.h"
#include "saferl/policy/policy.h"
#include "saferl/policy/spec_builder.h"

namespace saferl::cli {
namespace {

constexpr int kGoldenVectors = 16;

/// An ONNX file says nothing about meaning: the schema comes from a package made for the same task.
Status TakeSchema(const std::string& like, policy::PolicySpec* spec) {
  SAFERL_ASSIGN_OR_RETURN(const policy::PolicySpec pattern, policy::ReadPackage(like));
  if (pattern.n_obs() != spec->n_obs() || pattern.n_act() != spec->n_act()) {
    return absl::InvalidArgumentError(Cat("--like: ", like, " takes ", pattern.n_obs(),
                                          " observations and gives ", pattern.n_act(),
                                          " actions, the ONNX model ", spec->n_obs(), " and ",
                                          spec->n_act(), "; give a package of the same shape"));
  }
  spec->observation = pattern.observation;
  spec->action = pattern.action;
  spec->robot = pattern.robot;
  return absl::OkStatus();
}

StatusOr<ExitCode> RunPolicyImport(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(policy::PolicySpec spec, policy::ImportOnnx(args.text("FILE")));
  if (args.has("--like")) SAFERL_RETURN_IF_ERROR(TakeSchema(args.text("--like"), &spec));
  if (args.has("--robot")) spec.robot = args.text("--robot");
  if (args.has("--name")) spec.name = args.text("--name");
  if (args.flag("--float16")) policy::RoundWeights(&spec);
  policy::MakeGoldenVectors(&spec, kGoldenVectors, 1);
  SAFERL_RETURN_IF_ERROR(spec.Validate());
  SAFERL_ASSIGN_OR_RETURN(const auto policy, policy::Policy::Create(spec));
  SAFERL_RETURN_IF_ERROR(policy::SavePackage(spec, args.text("--out")));
  if (console.json()) {
    JsonWriter w;
    w.BeginObject()
        .Field("package", args.text("--out"))
        .Field("name", spec.name)
        .Field("robot", spec.robot);
    console.Out(w.Field("n_obs", spec.n_obs()).Field("n_act", spec.n_act()).EndObject().Take() +
                "\n");
  } else {
    console.Out(Cat("wrote ", args.text("--out"), ": ", spec.n_obs(), " observations, ",
                    spec.n_act(), " actions\n"));
  }
  return ExitCode::kOk;
}

}  // namespace

Verb PolicyImportVerb() {
  return {
      .path = {"policy", "import"},
      .summary =
          "make a model package from an ONNX file (one chain of Gemm, MatMul, Add, Tanh, Relu, "
          "Sigmoid)",
      .description =
          "The schema is taken from the package given with --like; without it the elements stay "
          "unnamed.",
      .args =
          {{.name = "FILE", .doc = "an ONNX model", .required = true},
           {.name = "--out", .doc = "the package to write", .value_name = "FILE", .required = true},
           {.name = "--like",
            .doc = "package whose schema and robot to take",
            .value_name = "FILE"},
           {.name = "--robot", .doc = "robot the policy is made for", .value_name = "ROBOT"},
           {.name = "--name", .doc = "the policy's name", .value_name = "NAME"},
           {.name = "--float16",
            .doc = "round every weight to the nearest float16 value (as training does): half the "
                   "memory, 1.5 times as fast from cold caches",
            .kind = ArgKind::kFlag}},
      .examples = {"saferl policy import mine.onnx --like out/wheelchair.policy --out mine.policy"},
      .run = RunPolicyImport};
}

}  // namespace saferl::cli
