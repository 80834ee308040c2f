#include <fmt/format.h>

#include "saferl/base/json.h"
#include "saferl/base/table.h"
#include "saferl/base/text.h"
#include "saferl/cli/verbs.h"
#include "saferl/policy/package.h"
#include "saferl/policy/quantise.h"

namespace saferl::cli {
namespace {

constexpr int kGoldenVectors = 16;
constexpr int kCalibration = 1000;

StatusOr<ExitCode> RunPolicyQuantise(const Args& args, Console& console) {
  const auto seed = static_cast<uint64_t>(args.whole("--seed"));
  SAFERL_ASSIGN_OR_RETURN(const auto original, policy::LoadPolicy(args.text("FILE")));
  SAFERL_ASSIGN_OR_RETURN(const policy::PolicySpec spec,
                          policy::Quantise(original->spec(), kCalibration, kGoldenVectors, seed));
  SAFERL_ASSIGN_OR_RETURN(const auto made, policy::Policy::Create(spec));
  SAFERL_ASSIGN_OR_RETURN(
      const policy::QuantisationReport error,
      policy::QuantisationError(*original, *made, args.whole("--samples"), seed));
  SAFERL_ASSIGN_OR_RETURN(const std::string before, policy::EncodePackage(original->spec()));
  SAFERL_ASSIGN_OR_RETURN(const std::string after, policy::EncodePackage(spec));
  const bool good = error.worst <= args.real("--max-error");
  if (good) SAFERL_RETURN_IF_ERROR(policy::SavePackage(spec, args.text("--out")));
  if (console.json()) {
    JsonWriter w;
    w.BeginObject().Field("package", args.text("--out")).Field("written", good);
    w.Field("sha256", made->sha256()).Field("from", original->sha256());
    w.Field("samples", error.samples).Field("worst_error", error.worst);
    w.Field("p999_error", error.p999).Field("mean_error", error.mean);
    w.Field("bytes", after.size()).Field("bytes_before", before.size());
    console.Out(w.EndObject().Take() + "\n");
  } else {
    console.Out(
        fmt::format("{} {}: {} -> {} bytes; error of the action, of its scale: worst {:.2g}, "
                    "p99.9 {:.2g}, mean {:.2g} over {} observations\n",
                    good ? "wrote" : "did not write", args.text("--out"), before.size(),
                    after.size(), error.worst, error.p999, error.mean, error.samples));
  }
  return good ? ExitCode::kOk : ExitCode::kNo;
}

}  // namespace

Verb PolicyQuantiseVerb() {
  return {.path = {"policy", "quantise"},
          .summary = "make an int8 package from a model package, and measure what it loses",
          .description =
              "The layers between the first and the last become int8. The error is measured on "
              "observations spread twice as wide as in training; exit code 1, and nothing written, "
              "when the worst is above --max-error. How the package drives: saferl drive --policy.",
          .args = {{.name = "FILE", .doc = "a model package", .required = true},
                   {.name = "--out",
                    .doc = "the package to write",
                    .value_name = "FILE",
                    .required = true},
                   {.name = "--max-error",
                    .doc = "largest error of an action, as a part of its scale",
                    .kind = ArgKind::kReal,
                    .value_name = "E",
                    .fallback = "0.05",
                    .min = 0,
                    .max = 2},
                   {.name = "--samples",
                    .doc = "observations that are compared",
                    .kind = ArgKind::kWhole,
                    .value_name = "N",
                    .fallback = "100000",
                    .min = 100,
                    .max = 1e8},
                   SeedArg()},
          .examples = {"saferl policy quantise out/wheelchair.policy --out out/wheelchair8.policy"},
          .run = RunPolicyQuantise};
}

}  // namespace saferl::cli
