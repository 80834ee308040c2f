#include "saferl/base/text.h"
#include "saferl/cli/registry_common.h"
#include "saferl/cli/verbs.h"

namespace saferl::cli {
namespace {

StatusOr<registry::RolloutPlan> Plan(const Args& args) {
  SAFERL_ASSIGN_OR_RETURN(const registry::Strategy strategy,
                          registry::ParseStrategy(args.text("--deployment-strategy")));
  registry::RolloutPlan plan = registry::PlanFor(strategy, 0.01 * args.real("--canary-percentage"));
  if (args.has("--approvals")) plan.approvals = static_cast<int>(args.whole("--approvals"));
  if (args.has("--dwell-s")) plan.min_dwell_s = args.real("--dwell-s");
  if (args.has("--exposure-h")) plan.min_exposure_h = args.real("--exposure-h");
  if (args.has("--bake-s")) plan.bake_s = args.real("--bake-s");
  if (args.has("--lease-s")) plan.lease_s = args.real("--lease-s");
  if (args.flag("--no-shadow")) {
    if (strategy == registry::Strategy::kShadow)
      return absl::InvalidArgumentError("--no-shadow: a shadow rollout is nothing else");
    plan.shadow_first = false;
  }
  return plan;
}

ArgSpec Real(std::string name, std::string doc) {
  return {.name = std::move(name),
          .doc = std::move(doc),
          .kind = ArgKind::kReal,
          .value_name = "X",
          .min = 0,
          .max = 1e7};
}

StatusOr<ExitCode> RunDeploy(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const registry::RolloutPlan plan, Plan(args));
  if (args.has("MODEL") == args.has("--model-name"))
    return absl::InvalidArgumentError("--model-name: name the model once, as a word or by option");
  SAFERL_ASSIGN_OR_RETURN(const OpenedRegistry opened, OpenFor(args));
  const std::string& model = args.text(args.has("MODEL") ? "MODEL" : "--model-name");
  Args named;
  for (const char* name : {"MODEL", "VERSION"}) named.Declare(name);
  named.Add("MODEL", model);
  if (args.has("--model-version")) named.Add("VERSION", args.text("--model-version"));
  SAFERL_ASSIGN_OR_RETURN(const registry::Version version, VersionOf(opened, named, true));
  SAFERL_RETURN_IF_ERROR(services::CheckDeployable(opened.config, *opened.store(), version));
  registry::RolloutStore rollouts(opened.store());
  SAFERL_ASSIGN_OR_RETURN(const registry::Rollout rollout,
                          rollouts.Start(version, plan, Who(args)));
  SAFERL_RETURN_IF_ERROR(PrintRollout(opened, rollout, console));
  return ExitCode::kOk;
}

}  // namespace

Verb RegistryDeployVerb() {
  return {
      .path = {"registry", "deploy"},
      .summary = "start to roll a version out to robots",
      .description =
          "Without --model-version the newest. The version needs a signature of a key in "
          "DATA_DIR/keys (in development only when there are keys). One rollout of a model at a "
          "time.",
      .args = StoreArgs(
          {{.name = "MODEL", .doc = "a model's name; or use --model-name"},
           {.name = "--model-name", .doc = "the same", .value_name = "MODEL"},
           {.name = "--model-version", .doc = "a number or an alias", .value_name = "VERSION"},
           {.name = "--deployment-strategy",
            .doc = "how",
            .kind = ArgKind::kChoice,
            .value_name = "STRATEGY",
            .fallback = "canary",
            .choices = {"canary", "shadow", "blue-green", "rolling"}},
           {.name = "--canary-percentage",
            .doc = "share of robots in the first step of a canary",
            .kind = ArgKind::kReal,
            .value_name = "P",
            .fallback = "10",
            .min = 0.1,
            .max = 100},
           {.name = "--approvals",
            .doc = "people who must agree (default: by strategy)",
            .kind = ArgKind::kWhole,
            .value_name = "N",
            .min = 0,
            .max = 5},
           {.name = "--no-shadow", .doc = "skip the shadow phase", .kind = ArgKind::kFlag},
           Real("--dwell-s", "shortest time in each step [s]"),
           Real("--exposure-h", "shortest exposure in each step [robot hours]"),
           Real("--bake-s", "time on all robots before promotion [s]"),
           Real("--lease-s", "how long a robot runs the new version without hearing from us [s]"),
           WhoArg()}),
      .examples = {"saferl registry deploy --model-name arm7 --deployment-strategy canary "
                   "--canary-percentage 10",
                   "saferl registry deploy arm7 --model-version 3 --approvals 2"},
      .run = RunDeploy};
}

}  // namespace saferl::cli
