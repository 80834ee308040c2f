#include "saferl/services/experiments/experiment_routes.h"

#include <algorithm>
#include <charconv>

#include "saferl/base/config.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/services/api/api_route.h"
#include "saferl/services/api/etag.h"
#include "saferl/services/api/pagination.h"

namespace saferl::services {
namespace {

using net::Request;
using net::Response;

constexpr std::string_view kPath = "/api/v1/experiments";
constexpr std::string_view kSchema =
    R"({"type":"object","properties":{"id":{"type":"string"},"name":{"type":"string"},)"
    R"("task":{"type":"string"},"algorithm":{"type":"string"},"seed":{"type":"integer"},)"
    R"("config":{"type":"string"},"iterations":{"type":"integer"},)"
    R"("status":{"enum":["running","finished","stopped","failed"]},"iteration":{"type":"integer"},)"
    R"("steps":{"type":"integer"},"metrics":{"type":"object","additionalProperties":{"type":"number"}},)"
    R"("artifact_sha256":{"type":"string"},"reason":{"type":"string"},)"
    R"("created_ns":{"type":"integer"},"updated_ns":{"type":"integer"},)"
    R"("finished_ns":{"type":["integer","null"]}}})";
constexpr std::string_view kCreateSchema =
    R"({"type":"object","additionalProperties":false,"required":["name","task","algorithm","seed"],)"
    R"("properties":{"name":{"type":"string","maxLength":128},"task":{"type":"string"},)"
    R"("algorithm":{"type":"string"},"seed":{"type":"integer","minimum":0},)"
    R"("iterations":{"type":"integer","minimum":0},"config":{"type":"string","maxLength":65536}}})";
constexpr std::string_view kProgressSchema =
    R"({"type":"object","additionalProperties":false,"properties":{)"
    R"("iteration":{"type":"integer","minimum":0},"steps":{"type":"integer","minimum":0},)"
    R"("metrics":{"type":"object","maxProperties":64,"additionalProperties":{"type":"number"}}}})";
constexpr std::string_view kFinishSchema =
    R"({"type":"object","additionalProperties":false,"required":["status"],"properties":{)"
    R"("status":{"enum":["finished","stopped","failed"]},"reason":{"type":"string","maxLength":1000},)"
    R"("artifact_sha256":{"type":"string","pattern":"^[0-9a-f]{64}$"},)"
    R"("metrics":{"type":"object","maxProperties":64,"additionalProperties":{"type":"number"}}}})";
constexpr size_t kMaxText = 128, kMaxConfig = 65536, kMaxReason = 1000, kMaxMetrics = 64;
constexpr double kMostCount = 9e15;

struct CreateBody {
  std::string name, task, algorithm, config;
  int64_t seed = 0, iterations = 0;
  template <class V>
  static void Visit(V& v, CreateBody& b) {
    v.Field("name", b.name, {.doc = "for people", .required = true});
    v.Field("task", b.task, {.doc = "what is learnt", .required = true});
    v.Field("algorithm", b.algorithm, {.doc = "how", .required = true});
    v.Field("seed", b.seed, {.doc = "the run's", .min = 0, .required = true});
    v.Field("iterations", b.iterations, {.doc = "planned", .min = 0, .max = kMostCount});
    v.Field("config", b.config, {.doc = "all of it, as YAML"});
  }
};
struct ProgressBody {
  int64_t iteration = -1, steps = -1;
  template <class V>
  static void Visit(V& v, ProgressBody& b) {
    v.Field("iteration", b.iteration, {.doc = "done", .min = 0, .max = kMostCount});
    v.Field("steps", b.steps, {.doc = "of the task, so far", .min = 0, .max = kMostCount});
  }
};
enum class End : uint8_t { kFinished, kStopped, kFailed };
constexpr const char* kEnds[] = {"finished", "stopped", "failed"};
struct FinishBody {
  End status = End::kFinished;
  std::string reason, artifact_sha256;
  template <class V>
  static void Visit(V& v, FinishBody& b) {
    v.Field(
        "status", b.status,
        {.doc = "how it ended", .required = true, .names = {std::begin(kEnds), std::end(kEnds)}});
    v.Field("reason", b.reason, {.doc = "why it ended so"});
    v.Field("artifact_sha256", b.artifact_sha256, {.doc = "of the package"});
  }
};

std::string ToJson(const Experiment& e) {
  JsonWriter w;
  w.BeginObject().Field("id", e.id).Field("name", e.name).Field("task", e.task);
  w.Field("algorithm", e.algorithm).Field("seed", e.seed).Field("config", e.config);
  w.Field("iterations", e.iterations).Field("status", e.status).Field("iteration", e.iteration);
  w.Field("steps", e.steps).Key("metrics").Raw(e.metrics);
  w.Field("artifact_sha256", e.artifact_sha256).Field("reason", e.reason);
  w.Field("created_ns", e.created_ns).Field("updated_ns", e.updated_ns).Key("finished_ns");
  if (e.finished_ns == 0) {
    w.Null();
  } else {
    w.Value(e.finished_ns);
  }
  return w.EndObject().Take();
}

std::vector<net::FieldSpec> ListFields() {
  std::vector<net::FieldSpec> fields = PageFields();
  for (const auto& [name, type, doc] :
       {std::tuple{"name", "string", "of this name"}, std::tuple{"task", "string", "of this task"},
        std::tuple{"algorithm", "string", "by this algorithm"},
        std::tuple{"status", "string", "running, finished, stopped or failed"},
        std::tuple{"artifact_sha256", "string", "the run that made this package"},
        std::tuple{"seed", "integer", "with this seed"},
        std::tuple{"from_ns", "integer", "not begun before, ns since 1970"},
        std::tuple{"to_ns", "integer", "not begun after, ns since 1970"}})
    fields.push_back({.name = name, .type = type, .doc = doc});
  return fields;
}

StatusOr<ExperimentFilter> ReadFilter(const Request& request) {
  ExperimentFilter f;
  for (const auto& [field, to] :
       {std::pair{"name", &f.name}, std::pair{"task", &f.task},
        std::pair{"algorithm", &f.algorithm}, std::pair{"status", &f.status},
        std::pair{"artifact_sha256", &f.artifact_sha256}})
    if (const std::string* text = request.Query(field)) *to = *text;
  const bool known = f.status.empty() || f.status == "running" ||
                     std::find(std::begin(kEnds), std::end(kEnds), f.status) != std::end(kEnds);
  if (!known)
    return absl::InvalidArgumentError(Cat("status: '", f.status.substr(0, 64),
                                          "' is not one of running, finished, stopped, failed"));
  if (const std::string* seed = request.Query("seed")) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(seed->data(), seed->data() + seed->size(), value);
    if (error != std::errc() || end != seed->data() + seed->size())
      return absl::InvalidArgumentError(
          Cat("seed: '", seed->substr(0, 64), "' is no whole number; give the run's seed"));
    f.seed = value;
  }
  SAFERL_RETURN_IF_ERROR(ReadTime(request, "from_ns", &f.from_ns));
  SAFERL_RETURN_IF_ERROR(ReadTime(request, "to_ns", &f.to_ns));
  return f;
}

bool IsMetricName(std::string_view name) {
  return !name.empty() && name.size() <= 64 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-' || c == '/';
         });
}

/// Takes "metrics" out of the body: its JSON text, or nothing where the body has none.
StatusOr<std::optional<std::string>> TakeMetrics(Node* body) {
  const Node* metrics = body->Find("metrics");
  if (metrics == nullptr) return std::optional<std::string>();
  if (!metrics->is_map())
    return metrics->Error("metrics: expected an object of numbers; write {\"return\": 1.5}");
  if (metrics->entries().size() > kMaxMetrics)
    return metrics->Error(Cat("metrics: more than ", kMaxMetrics, "; send fewer"));
  JsonWriter w;
  w.BeginObject();
  for (const Node::Entry& entry : metrics->entries()) {
    const StatusOr<double> value = entry.value.AsDouble();
    if (!IsMetricName(entry.key))
      return metrics->Error("metrics: a name is not 1 to 64 of A-Z a-z 0-9 _ . - /; correct it");
    if (!value.ok()) return entry.value.Error(Cat("metrics.", entry.key, ": not a finite number"));
    w.Field(entry.key, *value);
  }
  std::erase_if(body->mutable_entries(), [](const Node::Entry& e) { return e.key == "metrics"; });
  return std::optional<std::string>(w.EndObject().Take());
}

Status CheckText(const char* field, const std::string& text, size_t least, size_t most) {
  if (text.size() >= least && text.size() <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      Cat(field, ": has ", text.size(), " bytes; give ", least, " to ", most));
}

StatusOr<Experiment> ReadCreate(const Request& request) {
  SAFERL_ASSIGN_OR_RETURN(const Node node, ParseJson(request.body, "body"));
  SAFERL_ASSIGN_OR_RETURN(const CreateBody body, config::Read<CreateBody>(node));
  SAFERL_RETURN_IF_ERROR(CheckText("name", body.name, 1, kMaxText));
  SAFERL_RETURN_IF_ERROR(CheckText("task", body.task, 1, kMaxText));
  SAFERL_RETURN_IF_ERROR(CheckText("algorithm", body.algorithm, 1, kMaxText));
  SAFERL_RETURN_IF_ERROR(CheckText("config", body.config, 0, kMaxConfig));
  Experiment e;
  e.name = body.name;
  e.task = body.task;
  e.algorithm = body.algorithm;
  e.config = body.config;
  e.seed = body.seed;
  e.iterations = body.iterations;
  return e;
}

Response Tagged(const Experiment& e, int status = 200) {
  Response response = Response::Json(ToJson(e), status);
  response.headers.Set("ETag", ETagOf(response.body));
  return response;
}

Response Create(ExperimentStore* store, const Request& request) {
  StatusOr<Experiment> body = ReadCreate(request);
  if (!body.ok()) return Problem(request, body.status());
  const StatusOr<Experiment> made = store->Create(*std::move(body));
  if (!made.ok()) return Problem(request, made.status());
  Response response = Tagged(*made, 201);
  response.headers.Set("Location", Cat(kPath, "/", made->id));
  return response;
}

Response List(ExperimentStore* store, const Request& request) {
  const auto read = [&](const Page& page, int rows) -> StatusOr<std::vector<Experiment>> {
    SAFERL_ASSIGN_OR_RETURN(const ExperimentFilter filter, ReadFilter(request));
    SAFERL_ASSIGN_OR_RETURN(const auto after, AfterTime(page));
    return store->List(filter, rows, after);
  };
  return ListPage(request, 2, read, ToJson,
                  [](const Experiment& e) { return std::vector{Cat(e.created_ns), e.id}; });
}

Response Get(ExperimentStore* store, const Request& request) {
  const StatusOr<Experiment> found = store->Get(request.Param("id"));
  if (!found.ok()) return Problem(request, found.status());
  return WithETag(request, Response::Json(ToJson(*found)));
}

/// One change under If-Match.
Response Change(ExperimentStore* store, const Request& request,
                const std::function<Status(Experiment*)>& change) {
  const auto changed = store->Change(request.Param("id"), [&](Experiment* e) -> Status {
    SAFERL_RETURN_IF_ERROR(CheckIfMatch(request, ETagOf(ToJson(*e))));
    return change(e);
  });
  if (!changed.ok()) return Problem(request, changed.status());
  return Tagged(*changed);
}

Response Progress(ExperimentStore* store, const Request& request) {
  auto node = ParseJson(request.body, "body");
  if (!node.ok()) return Problem(request, node.status());
  const auto metrics = TakeMetrics(&*node);
  if (!metrics.ok()) return Problem(request, metrics.status());
  const auto body = config::Read<ProgressBody>(*node);
  if (!body.ok()) return Problem(request, body.status());
  return Change(store, request, [&](Experiment* e) -> Status {
    if (body->iteration >= 0) {
      if (body->iteration < e->iteration)
        return absl::InvalidArgumentError(Cat("iteration: ", body->iteration, " is before ",
                                              e->iteration, ", which was told; runs go forward"));
      e->iteration = body->iteration;
    }
    if (body->steps >= 0) e->steps = body->steps;
    if (*metrics) e->metrics = **metrics;
    return absl::OkStatus();
  });
}

Response Finish(ExperimentStore* store, const Request& request) {
  auto node = ParseJson(request.body, "body");
  if (!node.ok()) return Problem(request, node.status());
  const auto metrics = TakeMetrics(&*node);
  if (!metrics.ok()) return Problem(request, metrics.status());
  const auto body = config::Read<FinishBody>(*node);
  if (!body.ok()) return Problem(request, body.status());
  const std::string& digest = body->artifact_sha256;
  const bool hex =
      digest.size() == 64 && digest.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!digest.empty() && !hex)
    return Problem(request, 400, "", "artifact_sha256: not 64 of 0-9 a-f; give sha256sum's answer");
  if (const Status good = CheckText("reason", body->reason, 0, kMaxReason); !good.ok())
    return Problem(request, good);
  return Change(store, request, [&](Experiment* e) -> Status {
    e->status = kEnds[static_cast<size_t>(body->status)];
    e->reason = body->reason;
    e->artifact_sha256 = digest;
    if (*metrics) e->metrics = **metrics;
    return absl::OkStatus();
  });
}

net::Route Make(net::Method method, std::string pattern, std::string id, std::string summary,
                std::string_view request_schema, std::vector<int> errors, net::Handler handler) {
  net::Route route = ApiRoute(method, std::move(pattern), std::move(id), std::move(summary),
                              std::move(handler), "experiments");
  route.request_schema = request_schema;
  route.response_schema = kSchema;
  route.errors = std::move(errors);
  return route;
}

}  // namespace

void AddExperimentRoutes(ExperimentStore* store, Idempotency* idempotency, net::Router* router) {
  const std::string path(kPath), one = Cat(kPath, "/{id}");
  net::Route list = Make(net::Method::kGet, path, "listExperiments", "Training runs, newest first",
                         "", {}, [store](const Request& r) { return List(store, r); });
  list.query = ListFields();
  list.response_schema = PageSchema(kSchema);
  router->Add(std::move(list));
  net::Route get = Make(net::Method::kGet, one, "getExperiment", "A training run", "", {404},
                        [store](const Request& r) { return Get(store, r); });
  ListsETag(&get);
  router->Add(std::move(get));
  const auto post = [&](const std::string& pattern, const char* id, const char* summary,
                        std::string_view schema, std::vector<int> errors,
                        Response (*handler)(ExperimentStore*, const Request&),
                        void (*lists)(net::Route*)) {
    net::Route route = Make(net::Method::kPost, pattern, id, summary, schema, std::move(errors),
                            [store, handler](const Request& r) { return handler(store, r); });
    lists(&route);
    idempotency->Once(&route);
    router->Add(std::move(route));
  };
  post(path, "createExperiment", "Begins a training run", kCreateSchema, {}, Create, ListsNewETag);
  post(one + "/progress", "reportExperiment", "How far it is, and its metrics", kProgressSchema,
       {404}, Progress, ListsIfMatch);
  post(one + "/finish", "finishExperiment", "Ends it, once", kFinishSchema, {404}, Finish,
       ListsIfMatch);
}

}  // namespace saferl::services
