#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/cli/registry_common.h"
#include "saferl/cli/verbs.h"
#include "saferl/registry/describe.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunQuarantine(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const OpenedRegistry opened, OpenFor(args));
  SAFERL_ASSIGN_OR_RETURN(registry::Version version, VersionOf(opened, args, false));
  const std::string& reason = args.text("--reason");
  if (args.flag("--release")) {
    SAFERL_RETURN_IF_ERROR(opened.store()->Release(version.digest, reason, Who(args)));
  } else {
    SAFERL_RETURN_IF_ERROR(opened.store()->Quarantine(version.digest, reason, Who(args)));
  }
  SAFERL_ASSIGN_OR_RETURN(version, opened.store()->Find(version.model, Cat(version.number)));
  if (console.json()) {
    JsonWriter w;
    w.BeginObject().Key("version");
    Write(version, &w);
    console.Out(w.EndObject().Take() + "\n");
  } else {
    console.Out(Cat(version.model, " version ", version.number,
                    version.quarantined ? ": quarantined\n" : ": released\n"));
  }
  return ExitCode::kOk;
}

}  // namespace

Verb RegistryQuarantineVerb() {
  return {.path = {"registry", "quarantine"},
          .summary = "block the bytes of a version in every model, or release them",
          .description =
              "A blocked version gets no alias and no rollout. A running rollout is not stopped by "
              "this: use saferl registry rollback.",
          .args = StoreArgs({ModelArg(),
                             VersionArg(true, "a number or an alias"),
                             {.name = "--reason",
                              .doc = "for whoever meets it later",
                              .value_name = "TEXT",
                              .required = true},
                             {.name = "--release", .doc = "take it back", .kind = ArgKind::kFlag},
                             WhoArg()}),
          .examples = {"saferl registry quarantine arm7 3 --reason 'drifts to the left'",
                       "saferl registry quarantine arm7 3 --release --reason 'it was the sensor'"},
          .run = RunQuarantine};
}

}  // namespace saferl::cli
