#include "saferl/base/text.h"
#include "saferl/cli/registry_common.h"
#include "saferl/cli/verbs.h"
#include "saferl/services/rollouts/operations.h"

namespace saferl::cli {
namespace {

services::PlanWishes Wishes(const Args& args) {
  services::PlanWishes wishes;
  wishes.strategy = args.text("--deployment-strategy");
  wishes.canary_percentage = args.real("--canary-percentage");
  const auto real = [&args](const char* name) {
    return args.has(name) ? std::optional(args.real(name)) : std::nullopt;
  };
  if (args.has("--approvals")) wishes.approvals = static_cast<int>(args.whole("--approvals"));
  wishes.min_dwell_s = real("--dwell-s");
  wishes.min_exposure_h = real("--exposure-h");
  wishes.bake_s = real("--bake-s");
  wishes.max_hold_s = real("--max-hold-s");
  wishes.lease_s = real("--lease-s");
  wishes.shadow = !args.flag("--no-shadow");
  return wishes;
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
  SAFERL_ASSIGN_OR_RETURN(const registry::RolloutPlan plan, services::PlanOf(Wishes(args)));
  if (args.has("MODEL") == args.has("--model-name"))
    return absl::InvalidArgumentError("--model-name: name the model once, as a word or by option");
  SAFERL_ASSIGN_OR_RETURN(const OpenedRegistry opened, OpenFor(args));
  const std::string& model = args.text(args.has("MODEL") ? "MODEL" : "--model-name");
  SAFERL_ASSIGN_OR_RETURN(
      const registry::Version version,
      services::VersionToDeploy(*opened.store(), model, args.text("--model-version")));
  SAFERL_ASSIGN_OR_RETURN(
      const registry::Rollout rollout,
      services::Deploy(opened.config, opened.store(), version, plan, Who(args)));
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
           Real("--max-hold-s", "a hold, or a pause, that is longer is a rollback [s]"),
           Real("--lease-s", "how long a robot runs the new version without hearing from us [s]"),
           WhoArg()}),
      .examples = {"saferl registry deploy --model-name arm7 --deployment-strategy canary "
                   "--canary-percentage 10",
                   "saferl registry deploy arm7 --model-version 3 --approvals 2"},
      .run = RunDeploy};
}

}  // namespace saferl::cli
