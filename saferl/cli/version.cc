#include "saferl/base/text.h"
#include "saferl/cli/machine.h"
#include "saferl/cli/verbs.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunVersion(const Args&, Console& console) {
  const Machine machine = DescribeMachine();
  if (console.json()) {
    JsonWriter w;
    w.BeginObject();
    WriteMachine(machine, &w);
    console.Out(w.EndObject().Take() + "\n");
  } else {
    console.Out(Cat("saferl ", machine.version, " (", machine.commit, ", ", machine.build_type,
                    ", ", machine.compiler, ")\n"));
  }
  return ExitCode::kOk;
}

}  // namespace

Verb VersionVerb() {
  return {.path = {"version"},
          .summary = "version, commit and build of this program",
          .description = "",
          .args = {},
          .examples = {"saferl version", "saferl version --json"},
          .run = RunVersion};
}

}  // namespace saferl::cli
