#include "saferl/base/clock.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/cli/registry_common.h"
#include "saferl/cli/verbs.h"

namespace saferl::cli {
namespace {

constexpr double kDay_s = 86400;

StatusOr<ExitCode> RunGc(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const OpenedRegistry opened, OpenFor(args));
  const int64_t before =
      opened.store()->now() - FromSeconds(args.real("--older-than-days") * kDay_s);
  SAFERL_ASSIGN_OR_RETURN(const registry::Garbage garbage,
                          opened.store()->CollectGarbage(before, args.flag("--apply")));
  if (console.json()) {
    console.Out(JsonWriter()
                    .BeginObject()
                    .Field("objects", garbage.digests)
                    .Field("bytes", garbage.bytes)
                    .Field("deleted", garbage.deleted)
                    .EndObject()
                    .Take() +
                "\n");
  } else {
    for (const std::string& digest : garbage.digests) console.Out(digest + "\n");
    console.Out(Cat(garbage.digests.size(), " objects, ", garbage.bytes, " bytes",
                    garbage.deleted ? " deleted\n" : " would be deleted; add --apply\n"));
  }
  return ExitCode::kOk;
}

}  // namespace

Verb RegistryGcVerb() {
  return {.path = {"registry", "gc"},
          .summary = "delete packages that no version refers to",
          .description =
              "Only shows them unless --apply is given. Takes what the registry itself put and no "
              "version of any model refers to, at most 1000 at a time.",
          .args = StoreArgs({{.name = "--apply", .doc = "really delete", .kind = ArgKind::kFlag},
                             {.name = "--older-than-days",
                              .doc = "since they were last pushed",
                              .kind = ArgKind::kReal,
                              .value_name = "DAYS",
                              .fallback = "7",
                              .min = 0,
                              .max = 36500}}),
          .examples = {"saferl registry gc", "saferl registry gc --apply --older-than-days 30"},
          .run = RunGc};
}

}  // namespace saferl::cli
