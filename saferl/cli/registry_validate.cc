#include "saferl/registry/validate.h"

#include "saferl/base/json.h"
#include "saferl/base/table.h"
#include "saferl/base/text.h"
#include "saferl/cli/registry_common.h"
#include "saferl/cli/verbs.h"
#include "saferl/learn/evaluate_package.h"
#include "saferl/learn/tasks/tasks.h"
#include "saferl/policy/package.h"
#include "saferl/sim/drive.h"

namespace saferl::cli {
namespace {

/// Short drives of the whole system with this policy: people, filter and gate as on the robot.
/// What must hold whatever the policy is: no collision, no tick that moves without a proof.
StatusOr<registry::Check> Drive(const policy::PolicySpec& spec, int drives) {
  SAFERL_ASSIGN_OR_RETURN(const auto policy, policy::Policy::Create(spec));
  SAFERL_ASSIGN_OR_RETURN(const sim::DriveModel model, sim::MakeDriveModel(spec.robot, policy));
  std::vector<sim::DriveOptions> options;
  for (int i = 0; i < drives; ++i) {
    sim::DriveOptions o;
    o.person = static_cast<sim::PersonKind>(i % sim::kNumPersonKinds);
    o.physics = sim::Physics::kClosedForm;
    o.seed = static_cast<uint64_t>(i + 1);
    o.max_time_s = 10;
    options.push_back(std::move(o));
  }
  SAFERL_ASSIGN_OR_RETURN(const std::vector<sim::DriveResult> results,
                          sim::DriveAll(model, options, 2));
  int collisions = 0;
  int64_t ticks = 0, unproved = 0, interventions = 0;
  for (const sim::DriveResult& r : results) {
    collisions += r.collision != sim::Hit::kNothing;
    ticks += r.ticks;
    unproved += r.unproved_moving_ticks;
    interventions += r.interventions;
  }
  return registry::Check{
      "safety", collisions == 0 && unproved == 0,
      Cat(drives, " drives, ", ticks, " ticks: ", collisions, " collisions, ", unproved,
          " unproved ticks in motion, the filter intervened in ", interventions)};
}

/// The task's own sizes, where the package names a task that this program has.
void ExpectTask(const policy::PolicySpec& spec, registry::ValidationOptions* o) {
  const StatusOr<std::string> name = learn::TaskOfPackage(spec);
  if (!name.ok()) return;
  const auto task = learn::MakeTask(*name, 1, learn::TaskUse::kTest);
  if (!task.ok()) return;
  o->robot = (*task)->spec().robot;
  o->n_obs = (*task)->spec().n_obs;
  o->n_act = (*task)->spec().n_act;
}

StatusOr<ExitCode> RunValidate(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const OpenedRegistry opened, OpenFor(args));
  SAFERL_ASSIGN_OR_RETURN(const registry::Version version, VersionOf(opened, args, true));
  SAFERL_ASSIGN_OR_RETURN(const std::string bytes, opened.store()->Bytes(version.digest));
  registry::ValidationOptions o;
  o.digest = version.digest;
  o.samples = static_cast<int>(args.whole("--samples"));
  if (const auto spec = policy::DecodePackage(bytes, "package"); spec.ok()) ExpectTask(*spec, &o);
  if (args.has("--robot")) o.robot = args.text("--robot");
  const int drives = static_cast<int>(args.whole("--drives"));
  if (drives > 0) {
    o.safety_gate = [drives](const policy::PolicySpec& spec) {
      const StatusOr<registry::Check> check = Drive(spec, drives);
      return check.ok() ? *check : registry::Check{"safety", false, Cat(check.status().message())};
    };
  }
  const registry::Validation validation = registry::Validate(bytes, o);
  if (console.json()) {
    JsonWriter w;
    w.BeginObject().Field("model", version.model).Field("version", version.number);
    w.Key("validation").Raw(registry::ToJson(validation));
    console.Out(w.EndObject().Take() + "\n");
  } else {
    Table table({"check", "verdict", "detail"});
    table.SetAlign(1, Table::Align::kLeft).SetAlign(2, Table::Align::kLeft);
    for (const registry::Check& check : validation.checks) {
      table.Row({check.name,
                 {check.good ? "good" : "BAD", check.good ? Colour::kGood : Colour::kBad},
                 check.detail});
    }
    console.Out(table.Text(console.colour()));
  }
  return validation.good() ? ExitCode::kOk : ExitCode::kNo;
}

}  // namespace

Verb RegistryValidateVerb() {
  return {
      .path = {"registry", "validate"},
      .summary = "check a version before anybody runs it: bytes, vectors, shapes, outputs, safety",
      .description =
          "The deployment guide's validate_model. Exit code 1 when a check fails; every check "
          "is reported. Without VERSION the newest.",
      .args = StoreArgs({ModelArg(),
                         VersionArg(false, "a number or an alias"),
                         {.name = "--robot",
                          .doc = "the robot it must be made for (default: its task's)",
                          .value_name = "ROBOT"},
                         {.name = "--samples",
                          .doc = "observations to try",
                          .kind = ArgKind::kWhole,
                          .value_name = "N",
                          .fallback = "4096",
                          .min = 1,
                          .max = 1e6},
                         {.name = "--drives",
                          .doc = "simulated drives of the whole system with it; 0: none",
                          .kind = ArgKind::kWhole,
                          .value_name = "N",
                          .fallback = "0",
                          .min = 0,
                          .max = 1000}}),
      .examples = {"saferl registry validate arm7", "saferl registry validate arm7 3 --drives 4"},
      .run = RunValidate};
}

}  // namespace saferl::cli
