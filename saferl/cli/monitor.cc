// monitor: the safety monitor as a process of its own, until a signal.
#include "saferl/base/json.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/cli/machine.h"
#include "saferl/cli/serve.h"
#include "saferl/cli/verbs.h"
#include "saferl/services/monitor/service.h"
#include "saferl/services/observer.h"

namespace saferl::cli {
namespace {

StatusOr<ExitCode> RunMonitor(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(services::ServiceConfig config, ServiceConfigOf(args));
  SAFERL_RETURN_IF_ERROR(services::OpenLogOf(config, "saferl-monitor"));
  WarnOfMisspelt(config);
  if (args.has("--shm")) config.monitor.shm = args.text("--shm");
  if (args.has("--url")) config.monitor.url = args.text("--url");
  const Machine machine = DescribeMachine();
  const sigset_t signals = BlockSignals();
  SAFERL_ASSIGN_OR_RETURN(const auto service, services::MonitorService::Start(
                                                  config, {machine.version, machine.commit}));
  if (console.json()) {
    JsonWriter w;
    w.BeginObject().Field("monitor_port", service->port()).Field("shm", config.monitor.shm);
    w.Field("url", config.monitor.url);
    console.Out(w.EndObject().Take() + "\n");
  } else {
    console.Out(Cat(
        "safety monitor  http://", config.monitor_server.host, ":", service->port(),
        "/status  robot: ", config.monitor.url.empty() ? config.monitor.shm : config.monitor.url,
        config.monitor.shm == "off" && config.monitor.url.empty() ? " (give --shm or --url)" : "",
        "\n"));
  }
  int signal = 0;
  sigwait(&signals, &signal);
  const bool all = service->Drain();
  Log(LogLevel::kInfo, "stopped", {{"signal", signal}, {"all_answered", all}});
  return all ? ExitCode::kOk : ExitCode::kNo;
}

}  // namespace

Verb MonitorVerb() {
  return {
      .path = {"monitor"},
      .summary = "judge every decision of a robot and let it move only while all is well",
      .description =
          "Attaches to saferl_rt's shared memory (it may start later), or with --url follows the "
          "robot of an inference service on another machine, renews the robot's lease "
          "and serves :8002. The robot stops by itself when this process ends, dies or hangs. "
          "Reads --config, then .env, then the environment, then --set.",
      .args = {ConfigFileArg(),
               {.name = "--shm",
                .doc = "shared memory of the robot, as saferl_rt's --shm",
                .value_name = "PATH"},
               {.name = "--url",
                .doc = "robot of an inference service, instead: /monitor/stream of its port",
                .value_name = "URL"},
               SetArg()},
      .examples = {"saferl monitor --shm /dev/shm/saferl",
                   "saferl monitor --config config/environments/edge.yaml",
                   "saferl monitor --url ws://127.0.0.1:8001/monitor/stream?robot=r1"},
      .run = RunMonitor};
}

}  // namespace saferl::cli
