// up: every service of this machine in one process, until a signal.
#include <csignal>

#include <filesystem>

#include "saferl/base/clock.h"
#include "saferl/base/json.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/cli/machine.h"
#include "saferl/cli/serve.h"
#include "saferl/cli/verbs.h"
#include "saferl/services/app.h"
#include "saferl/services/observer.h"

namespace saferl::cli {
namespace {

constexpr const char* kDotEnv = ".env";

}  // namespace

services::ConfigSources SourcesHere(const std::string& file) {
  services::ConfigSources sources;
  sources.file = file;
  if (std::filesystem::exists(kDotEnv)) sources.dot_env = kDotEnv;
  sources.environ = services::ProcessEnviron();
  return sources;
}

StatusOr<services::ServiceConfig> ServiceConfigOf(const Args& args) {
  services::ConfigSources sources =
      SourcesHere(args.has("--config") ? args.text("--config") : std::string());
  for (const std::string& text : args.All("--set")) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos)
      return absl::InvalidArgumentError(
          Cat("--set: '", text, "' is not FIELD=VALUE; write api.port=8080"));
    sources.set.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return services::LoadServiceConfig(sources);
}

ArgSpec ConfigFileArg() {
  return {.name = "--config", .doc = "YAML file, see config/environments", .value_name = "FILE"};
}

ArgSpec SetArg() {
  return {.name = "--set",
          .doc = "override one field, see saferl config explain service",
          .value_name = "FIELD=VALUE",
          .repeated = true};
}

void WarnOfMisspelt(const services::ServiceConfig& config) {
  constexpr int kMost = 20;
  int count = 0;
  for (const services::UnknownVariable& variable : config.unknown) {
    if (variable.nearest.empty() || ++count > kMost) continue;
    Log(LogLevel::kWarning,
        Cat(kDotEnv, ": ", variable.name, " is none of our variables and changes nothing; did you ",
            "mean ", variable.nearest, "?"),
        {{"variable", variable.name}, {"nearest", variable.nearest}});
  }
  if (count > kMost)
    Log(LogLevel::kWarning, Cat(kDotEnv, ": more misspelt variables"), {{"more", count - kMost}});
}

sigset_t BlockSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return set;
}

namespace {

StatusOr<ExitCode> RunUp(const Args& args, Console& console) {
  const int64_t start = Nanos();
  SAFERL_ASSIGN_OR_RETURN(const services::ServiceConfig config, ServiceConfigOf(args));
  SAFERL_RETURN_IF_ERROR(services::OpenLogOf(config, "saferl"));
  WarnOfMisspelt(config);
  std::vector<services::Service> which;
  for (const std::string& name : args.All("--service")) {
    SAFERL_ASSIGN_OR_RETURN(const services::Service service, services::ParseService(name));
    which.push_back(service);
  }
  const Machine machine = DescribeMachine();
  const sigset_t signals = BlockSignals();
  SAFERL_ASSIGN_OR_RETURN(const auto app,
                          services::App::Start(config, {machine.version, machine.commit}, which));
  const double seconds = 1e-9 * static_cast<double>(Nanos() - start);
  for (const auto& [name, server, port] :
       {std::tuple{"Safe RL API", &config.api, app->api_port()},
        std::tuple{"policy inference", &config.inference_server, app->inference_port()},
        std::tuple{"safety monitor", &config.monitor_server, app->monitor_port()}}) {
    if (port == 0) continue;
    if (console.json()) {
      Log(LogLevel::kInfo, "serving", {{"service", name}, {"host", server->host}, {"port", port}});
    } else {
      console.Out(Cat(name, "  http://", server->host, ":", port, "  (", port,
                      "/openapi.json, /metrics)\n"));
    }
  }
  const size_t loaded = app->models().Index().size();
  if (console.json()) {
    console.Out(JsonWriter()
                    .BeginObject()
                    .Field("api_port", app->api_port())
                    .Field("inference_port", app->inference_port())
                    .Field("monitor_port", app->monitor_port())
                    .Field("models", loaded)
                    .Field("ready_s", seconds)
                    .EndObject()
                    .Take() +
                "\n");
  } else {
    const bool local = config.api.host == "127.0.0.1" &&
                       config.inference_server.host == "127.0.0.1" &&
                       config.monitor_server.host == "127.0.0.1";
    console.Out(
        Cat(loaded, " models; ready after ", static_cast<int64_t>(1e3 * seconds),
            " ms. There are no users yet: ",
            local ? "only this machine is served" : "EVERYBODY WHO REACHES THIS MACHINE IS SERVED",
            ". Stop with Ctrl-C.\n"));
  }
  int signal = 0;
  sigwait(&signals, &signal);
  const bool all = app->Drain();
  Log(LogLevel::kInfo, "stopped", {{"signal", signal}, {"all_answered", all}});
  return all ? ExitCode::kOk : ExitCode::kNo;
}

}  // namespace

Verb UpVerb() {
  return {.path = {"up"},
          .summary =
              "run every service of this machine: API on :8000, policy inference on :8001, "
              "safety monitor on :8002",
          .description =
              "Reads --config, then .env, then the environment, then --set. Serves loopback unless "
              "told "
              "otherwise. SIGTERM drains: exit code 1 when a request was left without its answer.",
          .args = {ConfigFileArg(),
                   {.name = "--service",
                    .doc = "run this one only (api, inference, monitor); may be repeated",
                    .value_name = "NAME",
                    .repeated = true},
                   SetArg()},
          .examples = {"saferl up", "saferl up --config config/environments/production.yaml",
                       "saferl up --service inference --set inference_server.port=9001"},
          .run = RunUp};
}

}  // namespace saferl::cli
