#include "saferl/base/file.h"
#include "saferl/base/text.h"
#include "saferl/cli/listeners.h"
#include "saferl/cli/verbs.h"
#include "saferl/telemetry/memory_profile.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunProfileMemory(const Args& args, Console& console) {
  int pid = 0;
  if (args.has("--pid")) {
    pid = static_cast<int>(args.whole("--pid"));
  } else {
    SAFERL_ASSIGN_OR_RETURN(pid, ProcessOn(static_cast<int>(args.whole("--port"))));
  }
  SAFERL_ASSIGN_OR_RETURN(
      const telemetry::MemoryProfile profile,
      telemetry::ProfileMemory(pid, args.real("--duration"), args.real("--interval")));
  const std::string& out = args.text("--out");
  const std::string json = telemetry::MemoryJson(profile);
  SAFERL_RETURN_IF_ERROR(WriteFileAtomic(
      out, out.ends_with(".json") ? json : telemetry::MemoryHtml(profile, "saferl: memory")));
  const auto mib = [](uint64_t bytes) {
    return Cat(static_cast<double>(bytes * 100 / (1 << 20)) / 100, " MiB");
  };
  if (console.json()) {
    console.Out(json + "\n");
  } else {
    console.Out(Cat(profile.name, ": resident ", mib(profile.samples.front().rss), " -> ",
                    mib(profile.samples.back().rss), ", ",
                    telemetry::GrowthPerSecond(profile) / 1024, " KiB/s",
                    profile.ended ? "; it ended early" : "", " -> ", out, "\n"));
  }
  return ExitCode::kOk;
}

}  // namespace

Verb ProfileMemoryVerb() {
  return {.path = {"profile", "memory"},
          .summary = "how a process's memory changes: plot and growth",
          .description =
              "Works for any process of this user; nothing has to be enabled. The "
              "report's form follows its name: .html or .json.",
          .args = {{.name = "--port",
                    .doc = "the process that listens on this port",
                    .kind = ArgKind::kWhole,
                    .value_name = "N",
                    .fallback = "8000",
                    .min = 1,
                    .max = 65535},
                   {.name = "--pid",
                    .doc = "the process by its number instead",
                    .kind = ArgKind::kWhole,
                    .value_name = "N",
                    .min = 1,
                    .max = 4194304},
                   {.name = "--duration",
                    .doc = "seconds to watch",
                    .kind = ArgKind::kReal,
                    .value_name = "S",
                    .fallback = "60",
                    .min = 0.01,
                    .max = 86400},
                   {.name = "--interval",
                    .doc = "seconds between samples",
                    .kind = ArgKind::kReal,
                    .value_name = "S",
                    .fallback = "0.5",
                    .min = 0.01,
                    .max = 3600},
                   {.name = "--out",
                    .doc = "report to write",
                    .value_name = "FILE",
                    .fallback = "profile_memory.html"}},
          .examples = {"saferl profile memory --duration 300",
                       "saferl profile memory --pid 4711 --out report.html"},
          .run = RunProfileMemory};
}

}  // namespace saferl::cli
