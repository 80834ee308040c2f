#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/cli/listeners.h"
#include "saferl/cli/verbs.h"
#include "saferl/net/http_client.h"
#include "saferl/telemetry/cpu_profile.h"

namespace saferl::cli {
namespace {

StatusOr<std::vector<std::string>> Addresses(const Args& args) {
  if (!args.has("--pid")) return std::vector<std::string>{args.text("--service")};
  SAFERL_ASSIGN_OR_RETURN(const std::vector<int> ports,
                          PortsOf(static_cast<int>(args.whole("--pid"))));
  std::vector<std::string> urls;
  for (const int port : ports) urls.push_back(Cat("http://127.0.0.1:", port));
  return urls;
}

StatusOr<telemetry::CpuProfile> Fetch(const Args& args) {
  SAFERL_ASSIGN_OR_RETURN(const std::vector<std::string> urls, Addresses(args));
  net::ClientOptions options;
  options.timeout_s = args.real("--duration") + 30;
  net::HttpClient client(options);
  Status last;
  for (const std::string& url : urls) {
    const net::ClientRequest request{
        .method = net::Method::kGet,
        .url = Cat(url, "/debug/profile?seconds=", args.real("--duration"),
                   "&rate_hz=", args.whole("--rate"))};
    const StatusOr<net::ClientResponse> answer = client.Send(request);
    if (!answer.ok()) {
      last = answer.status();
      continue;
    }
    StatusOr<Node> body = ParseJson(answer->body, url);
    if (answer->status == 200 && body.ok()) return telemetry::ParseProfileJson(*body);
    const Node* detail = body.ok() ? body->Find("detail") : nullptr;
    last = absl::FailedPreconditionError(
        Cat(url, ": answered ", answer->status, detail == nullptr ? "" : ": ",
            detail == nullptr ? "is it a saferl service?" : detail->text()));
  }
  return last;
}

StatusOr<ExitCode> RunProfileCpu(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const telemetry::CpuProfile profile, Fetch(args));
  const std::string& out = args.text("--out");
  const std::string text = out.ends_with(".json") ? telemetry::ProfileJson(profile)
                           : out.ends_with(".folded")
                               ? telemetry::FoldedStacks(profile)
                               : telemetry::ProfileHtml(profile, "saferl: processor time");
  SAFERL_RETURN_IF_ERROR(WriteFileAtomic(out, text));
  if (console.json()) {
    JsonWriter w;
    w.BeginObject().Field("out", out).Field("samples", profile.samples);
    w.Field("dropped", profile.dropped).Field("seconds", profile.seconds).EndObject();
    console.Out(w.Take() + "\n");
  } else {
    console.Out(Cat(profile.samples, " samples -> ", out, "\n"));
  }
  return ExitCode::kOk;
}

}  // namespace

Verb ProfileCpuVerb() {
  return {.path = {"profile", "cpu"},
          .summary = "where a running service spends its processor time: flame graph",
          .description =
              "The service must run on this machine with CPU_PROFILING=true or "
              "PROFILING_ENABLED=true. The report's form follows its name: .html (a page "
              "that is complete in itself), .json, .folded (for other flame graph tools).",
          .args = {{.name = "--service",
                    .doc = "address of the service",
                    .value_name = "URL",
                    .fallback = "http://127.0.0.1:8000"},
                   {.name = "--pid",
                    .doc = "the service by its process number instead",
                    .kind = ArgKind::kWhole,
                    .value_name = "N",
                    .min = 1,
                    .max = 4194304},
                   {.name = "--duration",
                    .doc = "seconds to sample",
                    .kind = ArgKind::kReal,
                    .value_name = "S",
                    .fallback = "10",
                    .min = 0.01,
                    .max = telemetry::kMaxProfileSeconds},
                   {.name = "--rate",
                    .doc = "samples in a second of processor time",
                    .kind = ArgKind::kWhole,
                    .value_name = "HZ",
                    .fallback = "199",
                    .min = 1,
                    .max = 1000},
                   {.name = "--out",
                    .doc = "report to write",
                    .value_name = "FILE",
                    .fallback = "profile_cpu.html"}},
          .examples = {"saferl profile cpu --duration 10 --out report.html",
                       "saferl profile cpu --service http://127.0.0.1:8001 --out stacks.folded"},
          .run = RunProfileCpu};
}

}  // namespace saferl::cli
