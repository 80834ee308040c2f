#include "saferl/cli/train_report.h"

#include <cmath>

#include "saferl/base/json.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"
#include "saferl/learn/algorithm.h"
#include "saferl/net/trace_context.h"

namespace saferl::cli {
namespace {

/// The means of an evaluation; what is not finite is left out.
void WriteMetrics(const learn::Evaluation& e, const learn::TaskSpec& task, JsonWriter* w) {
  w->Key("metrics").BeginObject();
  const auto write = [w](const std::string& name, double value) {
    if (std::isfinite(value)) w->Field(name, value);
  };
  write("return", e.episode_return.mean);
  write("length", e.length.mean);
  write("success", e.success.mean);
  for (size_t i = 0; i < task.cost_names.size(); ++i)
    write(Cat("cost/", task.cost_names[i]), e.cost[i].mean);
  w->EndObject();
}

}  // namespace

StatusOr<std::string> TrainReport::Post(const std::string& path, const std::string& body) {
  net::ClientRequest request;
  request.method = net::Method::kPost;
  request.url = Cat(url_, path);
  request.body = body;
  request.timeout_s = 5;
  request.headers.Set("Content-Type", "application/json");
  request.headers.Set("Idempotency-Key", net::RandomHex(16));
  SAFERL_ASSIGN_OR_RETURN(const net::ClientResponse answer, client_.Send(request));
  if (answer.status == 200 || answer.status == 201) return answer.body;
  const StatusOr<Node> problem = ParseJson(answer.body, request.url);
  const Node* detail = problem.ok() ? problem->Find("detail") : nullptr;
  return absl::FailedPreconditionError(
      Cat(request.url, ": answered ", answer.status, ": ",
          detail == nullptr ? "is it a Safe RL API?" : detail->text()));
}

void TrainReport::Tell(const std::string& path, const std::string& body) {
  const StatusOr<std::string> answer = Post(Cat("/api/v1/experiments/", id_, path), body);
  if (!answer.ok())
    Log(LogLevel::kWarning, "training run not reported",
        {{"experiment", id_}, {"why", Cat(answer.status().message())}});
}

StatusOr<std::unique_ptr<TrainReport>> TrainReport::Begin(const std::string& url,
                                                          const std::string& name,
                                                          const learn::TrainConfig& config) {
  std::string base = url;
  while (!base.empty() && base.back() == '/') base.pop_back();
  std::unique_ptr<TrainReport> report(new TrainReport(base));
  JsonWriter w;
  w.BeginObject().Field("name", name).Field("task", config.task);
  w.Field("algorithm", learn::Name(config.algorithm));
  w.Field("seed", config.seed).Field("iterations", config.iterations);
  w.Field("config", learn::PrintTrainConfig(config)).EndObject();
  const StatusOr<std::string> answer = report->Post("/api/v1/experiments", w.Take());
  if (!answer.ok())
    return Status(answer.status().code(), Cat("--report: ", answer.status().message(),
                                              "; start saferl up or leave it out"));
  const StatusOr<Node> body = ParseJson(*answer, "experiment");
  const Node* id = body.ok() ? body->Find("id") : nullptr;
  if (id == nullptr)
    return absl::FailedPreconditionError(
        Cat("--report: ", base, " answers without an id; name a Safe RL API"));
  report->id_ = id->text();
  return report;
}

TrainReport::~TrainReport() {
  if (!id_.empty() && !ended_)
    Tell("/finish", R"({"status":"failed","reason":"the run ended with an error"})");
}

void TrainReport::Progress(const learn::IterationReport& report, const learn::TaskSpec& task) {
  JsonWriter w;
  w.BeginObject().Field("iteration", report.iteration).Field("steps", report.steps);
  if (report.check.episodes > 0) WriteMetrics(report.check, task, &w);
  Tell("/progress", w.EndObject().Take());
}

void TrainReport::Finish(bool stopped, const learn::Evaluation& test, const learn::TaskSpec& task,
                         const std::string& package_sha256) {
  ended_ = true;
  JsonWriter w;
  w.BeginObject().Field("status", stopped ? "stopped" : "finished");
  if (stopped) w.Field("reason", "stopped by the person who started it");
  w.Field("artifact_sha256", package_sha256);
  WriteMetrics(test, task, &w);
  Tell("/finish", w.EndObject().Take());
}

}  // namespace saferl::cli
