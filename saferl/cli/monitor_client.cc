// monitor status, monitor clear: a running safety monitor, asked over HTTP.
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/cli/verbs.h"
#include "saferl/net/http_client.h"

namespace saferl::cli {
namespace {

ArgSpec ServiceArg() {
  return {.name = "--service",
          .doc = "address of the monitor",
          .value_name = "URL",
          .fallback = "http://127.0.0.1:8002"};
}

StatusOr<std::string> Ask(const net::ClientRequest& request) {
  net::ClientOptions options;
  options.timeout_s = 15;
  net::HttpClient client(options);
  SAFERL_ASSIGN_OR_RETURN(const net::ClientResponse answer, client.Send(request));
  if (answer.status == 200) return answer.body;
  const StatusOr<Node> body = ParseJson(answer.body, request.url);
  const Node* detail = body.ok() ? body->Find("detail") : nullptr;
  return absl::FailedPreconditionError(
      Cat(request.url, ": answered ", answer.status, ": ",
          detail == nullptr ? "is it a safety monitor?" : detail->text()));
}

StatusOr<ExitCode> Show(const std::string& text, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const Node status, ParseJson(text, "status"));
  SAFERL_ASSIGN_OR_RETURN(const Node* latched, status.Get("latched"));
  SAFERL_ASSIGN_OR_RETURN(const Node* granting, status.Get("granting"));
  if (console.json()) {
    console.Out(text + "\n");
  } else {
    SAFERL_ASSIGN_OR_RETURN(const Node* robot, status.Get("robot"));
    SAFERL_ASSIGN_OR_RETURN(const Node* judged, status.Get("judged"));
    SAFERL_ASSIGN_OR_RETURN(const Node* margin, status.Get("worst_margin"));
    console.Out(Cat(robot->text().empty() ? "no robot" : robot->text(), ": ",
                    latched->text() == "true"    ? "STOPPED, latched"
                    : granting->text() == "true" ? "may move"
                                                 : "no lease",
                    "; ", judged->text(), " decisions judged, worst margin ",
                    margin->is_null() ? "none yet" : margin->text(), "\n"));
    const Node* why = status.Find("why");
    const Node* check = why == nullptr ? nullptr : why->Find("check");
    const Node* detail = why == nullptr ? nullptr : why->Find("detail");
    if (check != nullptr && detail != nullptr)
      console.Out(Cat("why: ", check->text(), ": ", detail->text(), "\n"));
  }
  return granting->text() == "true" ? ExitCode::kOk : ExitCode::kNo;
}

StatusOr<ExitCode> RunStatus(const Args& args, Console& console) {
  SAFERL_ASSIGN_OR_RETURN(const std::string text,
                          Ask({.url = Cat(args.text("--service"), "/status")}));
  return Show(text, console);
}

StatusOr<ExitCode> RunClear(const Args& args, Console& console) {
  net::ClientRequest request{.method = net::Method::kPost,
                             .url = Cat(args.text("--service"), "/latch/clear")};
  request.headers.Set("Content-Type", "application/json");
  request.body = JsonWriter()
                     .BeginObject()
                     .Field("operator", args.text("--operator"))
                     .Field("reason", args.text("--reason"))
                     .EndObject()
                     .Take();
  SAFERL_ASSIGN_OR_RETURN(const std::string text, Ask(request));
  SAFERL_RETURN_IF_ERROR(Show(text, console).status());
  return ExitCode::kOk;
}

}  // namespace

Verb MonitorStatusVerb() {
  return {.path = {"monitor", "status"},
          .summary = "may the robot move, and if not, why",
          .description = "Exit code 1 when it may not.",
          .args = {ServiceArg()},
          .examples = {"saferl monitor status",
                       "saferl monitor status --service http://10.0.0.7:8002 --json"},
          .run = RunStatus};
}

Verb MonitorClearVerb() {
  return {.path = {"monitor", "clear"},
          .summary = "let a stopped robot move again: who says so, and why",
          .description =
              "The entry is in the journal before the stop ends. The person at the robot still has "
              "to acknowledge.",
          .args = {{.name = "--operator",
                    .doc = "who clears it",
                    .value_name = "NAME",
                    .required = true},
                   {.name = "--reason",
                    .doc = "what was found and done",
                    .value_name = "TEXT",
                    .required = true},
                   ServiceArg()},
          .examples = {"saferl monitor clear --operator 'M. Sato' --reason 'lidar cleaned'"},
          .run = RunClear};
}

}  // namespace saferl::cli
