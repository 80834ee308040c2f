#include "saferl/services/inference/oip_routes.h"

#include <charconv>

#include "saferl/base/json.h"
#include "saferl/base/json_reader.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

using net::Method;
using net::Request;
using net::Response;

constexpr std::string_view kHeaderLength = "Inference-Header-Content-Length";
constexpr size_t kMaxBody = 64 << 20;

Response Error(int status, std::string_view text) {
  Response response =
      Response::Json(JsonWriter().BeginObject().Field("error", text).EndObject().Take(), status);
  if (status == 429 || status == 503) response.headers.Set("Retry-After", "1");
  return response;
}

Response Error(const Status& status) {
  return Error(net::HttpStatus(status.code()), Cat(status.message()));
}

void WriteSpec(const TensorSpec& spec, JsonWriter* w) {
  w->BeginObject().Field("name", spec.name).Field("datatype", Name(spec.type));
  w->Field("shape", spec.shape).EndObject();
}

void WriteTally(const char* name, const Tally& tally, JsonWriter* w) {
  w->Key(name).BeginObject().Field("count", tally.count.load()).Field("ns", tally.ns.load());
  w->EndObject();
}

void WriteStatistics(const ServedModel& model, JsonWriter* w) {
  const ModelStatistics& s = model.statistics;
  static const Tally kNone;
  w->BeginObject().Field("name", model.name).Field("version", model.version);
  w->Field("last_inference", s.last_inference_ms.load());
  w->Field("inference_count", s.inference_count.load());
  w->Field("execution_count", s.execution_count.load());
  w->Key("inference_stats").BeginObject();
  WriteTally("success", s.success, w);
  WriteTally("fail", s.fail, w);
  WriteTally("queue", s.queue, w);
  WriteTally("compute_input", s.compute_input, w);
  WriteTally("compute_infer", s.compute_infer, w);
  WriteTally("compute_output", s.compute_output, w);
  WriteTally("cache_hit", kNone, w);
  WriteTally("cache_miss", kNone, w);
  w->EndObject().Key("batch_stats").BeginArray().EndArray();
  w->Key("memory_usage").BeginArray().EndArray().EndObject();
}

/// {"parameters":{NAME:...}}, which may be absent; {} is what clients send without any.
Status ReadParameterNames(std::string_view body, std::vector<std::string>* names) {
  JsonReader reader(body, "body", 32);
  std::string key;
  SAFERL_RETURN_IF_ERROR(reader.BeginObject());
  while (reader.NextKey(&key)) {
    if (key != "parameters")
      return reader.Fail(Cat("no field '", JsonEscape(key), "'; use parameters"));
    SAFERL_RETURN_IF_ERROR(reader.BeginObject());
    while (reader.NextKey(&key)) {
      names->push_back(key);
      SAFERL_RETURN_IF_ERROR(reader.Skip());
    }
    SAFERL_RETURN_IF_ERROR(reader.status());
  }
  return reader.Finish();
}

/// The handlers share this; the router keeps it alive.
class Oip {
 public:
  Oip(OipOptions options, Engine* engine)
      : options_(std::move(options)), engine_(engine), host_(&engine->host()) {}

  Response Health(const Request&) const {
    if (!options_.ready()) return Error(503, "the server is not ready");
    return Response::Json(R"({"live":true,"ready":true})");
  }
  Response Live(const Request&) const { return Response::Json(R"({"live":true,"ready":true})"); }

  Response Server(const Request&) const {
    JsonWriter w;
    w.BeginObject().Field("name", options_.server_name).Field("version", options_.server_version);
    return Response::Json(w.Field("extensions", OipExtensions()).EndObject().Take());
  }

  Response Models(const Request&) const {
    return Response::Json(
        JsonWriter().BeginObject().Field("models", host_->Names()).EndObject().Take());
  }

  Response Metadata(const Request& request) const {
    return WithModel(request, [&](const ServedModel& model) {
      JsonWriter w;
      w.BeginObject().Field("name", model.name).Field("versions", host_->Versions(model.name));
      w.Field("platform", model.platform).Key("inputs").BeginArray();
      WriteSpec(model.input, &w);
      w.EndArray().Key("outputs").BeginArray();
      WriteSpec(model.output, &w);
      return Response::Json(w.EndArray().EndObject().Take());
    });
  }

  Response ModelReady(const Request& request) const {
    return WithModel(request, [&](const ServedModel& model) {
      return Response::Json(JsonWriter()
                                .BeginObject()
                                .Field("name", model.name)
                                .Field("ready", true)
                                .EndObject()
                                .Take());
    });
  }

  Response Config(const Request& request) const {
    return WithModel(
        request, [](const ServedModel& model) { return Response::Json(ModelConfigJson(model)); });
  }

  Response Statistics(const Request& request) const {
    const auto models = host_->Matching(request.Param("model"), request.Param("version"));
    if (!models.ok()) return Error(models.status());
    JsonWriter w;
    w.BeginObject().Key("model_stats").BeginArray();
    for (const auto& model : *models) WriteStatistics(*model, &w);
    return Response::Json(w.EndArray().EndObject().Take());
  }

  std::optional<Response> InferRoute(const Request& request, net::Later* later) const {
    if (!options_.ready()) return Error(503, "the server is not ready");
    InferCall call;
    call.model = request.Param("model");
    call.version = request.Param("version");
    call.received_ns = request.received_ns;
    call.deadline_ns = request.deadline_ns > 0 ? request.deadline_ns : INT64_MAX;
    if (engine_->tracer() != nullptr) call.trace = engine_->tracer()->ContextOf(request);
    StatusOr<InferRequest> message = Message(request);
    if (!message.ok()) return Error(message.status());
    call.request = *std::move(message);
    for (const auto& [what, body, path] :
         {std::tuple{"model_name", &call.request.model_name, &call.model},
          std::tuple{"model_version", &call.request.model_version, &call.version}}) {
      if (!body->empty() && !path->empty() && *body != *path)
        return Error(400, Cat(what, ": the body says '", JsonEscape(*body), "', the path '",
                              JsonEscape(*path), "'; leave it out of the body"));
    }
    if (call.version.empty()) call.version = call.request.model_version;
    if (call.request.id.empty()) call.request.id = request.request_id;
    // Only what the answer's form depends on is kept; the tensors move on.
    InferRequest form;
    form.outputs = call.request.outputs;
    form.binary_output = call.request.binary_output;
    const auto answer = engine_->Try(std::move(call), [&] {
      return [form, done = later->Take()](const StatusOr<InferResponse>& result) {
        done(Answer(result, form));
      };
    });
    if (!answer.has_value()) return std::nullopt;
    return Answer(*answer, form);
  }

  Response Index(const Request& request) const {
    bool only_ready = false;
    if (!request.body.empty()) {
      JsonReader reader(request.body, "body");
      std::string key;
      Status status = reader.BeginObject();
      while (status.ok() && reader.NextKey(&key)) {
        status = key == "ready" ? reader.Bool(&only_ready)
                                : reader.Fail(Cat("no field '", JsonEscape(key), "'; use ready"));
      }
      status = reader.Finish();
      if (!status.ok()) return Error(status);
    }
    JsonWriter w;
    w.BeginArray();
    for (const IndexEntry& entry : host_->Index()) {
      if (only_ready && entry.state != "READY") continue;
      w.BeginObject().Field("name", entry.name).Field("version", entry.version);
      w.Field("state", entry.state).Field("reason", entry.reason).Field("aliases", entry.aliases);
      w.EndObject();
    }
    return Response::Json(w.EndArray().Take());
  }

  Response Load(const Request& request) const {
    const std::string& name = request.Param("model");
    std::vector<std::string> parameters;
    if (!request.body.empty()) {
      if (const Status status = ReadParameterNames(request.body, &parameters); !status.ok())
        return Error(status);
    }
    const Status status = LoadModel(options_, name, parameters);
    if (!status.ok()) return Error(status);
    return Response::Json(
        JsonWriter().BeginObject().Field("name", name).Field("load", true).EndObject().Take());
  }

  Response Unload(const Request& request) const {
    const std::string& name = request.Param("model");
    const Status status = host_->Unload(name);
    if (!status.ok()) return Error(status);
    return Response::Json(
        JsonWriter().BeginObject().Field("name", name).Field("unload", true).EndObject().Take());
  }

 private:
  static Response Answer(const StatusOr<InferResponse>& answer, const InferRequest& form) {
    if (!answer.ok()) return Error(answer.status());
    EncodedResponse encoded = EncodeInferResponse(*answer, form);
    Response response = Response::Json(std::move(encoded.body));
    if (encoded.header_length.has_value()) {
      response.content_type = "application/octet-stream";
      response.headers.Set(kHeaderLength, Cat(*encoded.header_length));
    }
    return response;
  }

  template <class Use>
  Response WithModel(const Request& request, const Use& use) const {
    const StatusOr<std::shared_ptr<const ServedModel>> model =
        host_->Resolve(request.Param("model"), request.Param("version"));
    return model.ok() ? use(**model) : Error(model.status());
  }

  StatusOr<InferRequest> Message(const Request& request) const {
    const std::string* text = request.Header(kHeaderLength);
    if (text == nullptr) return DecodeInferRequest(request.body, std::nullopt);
    size_t value = 0;
    const char* end = text->data() + text->size();
    if (std::from_chars(text->data(), end, value) != std::from_chars_result{end, std::errc()})
      return absl::InvalidArgumentError(
          Cat(kHeaderLength, ": '", JsonEscape(text->substr(0, 40)), "' is no number of bytes"));
    if (value != 0) return DecodeInferRequest(request.body, value);
    SAFERL_ASSIGN_OR_RETURN(const std::shared_ptr<const ServedModel> model,
                            host_->Resolve(request.Param("model"), request.Param("version")));
    return RawRequest(*model, request.body);
  }

  /// A raw request: the body is the one input's bytes.
  static StatusOr<InferRequest> RawRequest(const ServedModel& model, const std::string& body) {
    InferRequest request;
    std::vector<int64_t> shape = model.input.shape;
    size_t row = sizeof(float);
    for (size_t i = HasRows(model.input) ? 1 : 0; i < shape.size(); ++i) {
      if (shape[i] < 1)
        return absl::InvalidArgumentError(
            "body: this model's input has no fixed size; name its shape in JSON");
      row *= static_cast<size_t>(shape[i]);
    }
    if (body.empty() || body.size() % row != 0)
      return absl::InvalidArgumentError(
          Cat("body: ", body.size(), " bytes; a raw request is a multiple of ", row));
    if (HasRows(model.input)) shape[0] = static_cast<int64_t>(body.size() / row);
    request.inputs.push_back({model.input.name, DataType::kFp32, shape, body, {}});
    request.binary_output = true;
    return request;
  }

  OipOptions options_;
  Engine* engine_;
  ModelHost* host_;
};

constexpr const char* kInferSchema =
    R"({"type":"object","required":["inputs"],"properties":{"id":{"type":"string"},"parameters":{"type":"object"},"inputs":{"type":"array","items":{"type":"object","required":["name","shape","datatype"],"properties":{"name":{"type":"string"},"shape":{"type":"array","items":{"type":"integer"}},"datatype":{"type":"string"},"parameters":{"type":"object"},"data":{"type":"array"}}}},"outputs":{"type":"array"}}})";

constexpr const char* kIndexSchema =
    R"({"type":"object","additionalProperties":false,"properties":{"ready":{"type":"boolean","description":"only what is ready"}}})";
constexpr const char* kLoadSchema =
    R"({"type":"object","additionalProperties":false,"properties":{"parameters":{"type":"object","maxProperties":0,"description":"none is taken: models come from the server's own store"}}})";
constexpr const char* kUnloadSchema =
    R"({"type":"object","description":"parameters are passed over","properties":{"parameters":{"type":"object"}}})";

/// The body, and the header that says how much of it is JSON.
void ListInfer(net::Route* route) {
  const net::FieldSpec length = {.name = std::string(kHeaderLength),
                                 .type = "integer",
                                 .doc = "bytes of JSON before the tensors' bytes"};
  route->request_schema = kInferSchema;
  route->request_types = {net::kJsonType, net::kBytesType};
  route->headers = route->answer_headers = {length};
  route->max_body_bytes = kMaxBody;
  route->errors.insert(route->errors.end(), {429, 503, 504});
}

void ListRepository(const char* schema, net::Route* route) {
  route->request_schema = schema;
  route->body_required = false;
}

}  // namespace

std::vector<std::string> OipExtensions() {
  return {"binary_tensor_data",  "model_configuration", "model_repository",
          "parameters",          "schedule_policy",     "sequence",
          "sequence(string_id)", "statistics"};
}

Status LoadModel(const OipOptions& options, const std::string& name,
                 const std::vector<std::string>& parameters) {
  if (!parameters.empty())
    return absl::InvalidArgumentError(
        Cat("parameter '", JsonEscape(parameters[0].substr(0, 80)),
            "': a model and its configuration come from the server's own store only; send none"));
  if (!options.load) return absl::UnimplementedError("this server loads models at its start only");
  return options.load(name);
}

std::string ConfigTypeName(DataType type) {
  return type == DataType::kBytes ? "TYPE_STRING" : Cat("TYPE_", Name(type));
}

std::string ModelConfigJson(const ServedModel& model) {
  JsonWriter w;
  const auto tensor = [&](const char* key, const TensorSpec& spec) {
    w.Key(key).BeginArray().BeginObject().Field("name", spec.name);
    w.Field("data_type", ConfigTypeName(spec.type));
    w.Key("dims").BeginArray();
    for (size_t i = HasRows(model.input) ? 1 : 0; i < spec.shape.size(); ++i)
      w.Value(spec.shape[i]);
    w.EndArray().EndObject().EndArray();
  };
  w.BeginObject().Field("name", model.name).Field("platform", model.platform);
  w.Field("backend", model.backend);
  w.Field("max_batch_size", HasRows(model.input) ? kMaxRows : 0);  // 0: no rows
  tensor("input", model.input);
  tensor("output", model.output);
  w.Key("version_policy").BeginObject().Key("all").BeginObject().EndObject().EndObject();
  if (KeepsState(model)) {
    w.Key("sequence_batching").BeginObject().Key("state").BeginArray();
    for (const policy::OnnxState& part : StatesOf(model)) {
      w.BeginObject().Field("input_name", part.input).Field("output_name", part.output);
      w.Field("data_type", "TYPE_FP32").Key("dims").BeginArray();
      for (const int64_t d : part.shape) w.Value(d);
      w.EndArray().EndObject();
    }
    w.EndArray().EndObject();
  }
  return w.EndObject().Take();
}

void AddOipRoutes(const OipOptions& options, Engine* engine, net::Router* router) {
  const auto oip = std::make_shared<const Oip>(options, engine);
  const auto make = [](Method method, std::string pattern, std::string id, std::string summary) {
    net::Route route;
    route.method = method;
    route.pattern = std::move(pattern);
    route.operation_id = std::move(id);
    route.summary = std::move(summary);
    route.tag = "Open Inference Protocol";
    return route;
  };
  const auto add = [&](Method method, std::string pattern, std::string id, std::string summary,
                       Response (Oip::*handler)(const Request&) const, net::Run run) {
    net::Route route = make(method, std::move(pattern), std::move(id), std::move(summary));
    route.run = run;
    if (route.pattern.find("{model}") != std::string::npos) route.errors = {404};
    route.handler = [oip, handler](const Request& request) {
      Response response = ((*oip).*handler)(request);
      // tritonclient's aio client says that it takes gzip, and unpacks only what infer answers.
      response.compress = false;
      return response;
    };
    if (handler == &Oip::Index) ListRepository(kIndexSchema, &route);
    if (handler == &Oip::Load) ListRepository(kLoadSchema, &route);
    if (handler == &Oip::Unload) ListRepository(kUnloadSchema, &route);
    router->Add(std::move(route));
  };
  router->SetErrorShape(
      "/v2",
      [](const Request&, int status, std::string_view detail) { return Error(status, detail); },
      R"({"type":"object","required":["error"],"properties":{"error":{"type":"string"}}})");
  using net::Run;
  add(Method::kGet, "/v2", "oipServer", "Server metadata", &Oip::Server, Run::kInline);
  add(Method::kGet, "/v2/health/live", "oipLive", "Is the server alive", &Oip::Live, Run::kInline);
  add(Method::kGet, "/v2/health/ready", "oipReady", "Does it take work", &Oip::Health,
      Run::kInline);
  add(Method::kGet, "/v2/models", "oipModels", "Names of loaded models", &Oip::Models,
      Run::kInline);
  add(Method::kGet, "/v2/models/stats", "oipAllStatistics", "Statistics of every version",
      &Oip::Statistics, Run::kInline);
  for (const std::string version : {"", "/versions/{version}"}) {
    const std::string base = "/v2/models/{model}" + version,
                      suffix = version.empty() ? "" : "Version";
    add(Method::kGet, base, "oipModel" + suffix, "Model metadata", &Oip::Metadata, Run::kInline);
    add(Method::kGet, base + "/ready", "oipModelReady" + suffix, "Is the model ready",
        &Oip::ModelReady, Run::kInline);
    add(Method::kGet, base + "/config", "oipModelConfig" + suffix, "Model configuration",
        &Oip::Config, Run::kInline);
    add(Method::kGet, base + "/stats", "oipStatistics" + suffix, "Statistics", &Oip::Statistics,
        Run::kInline);
    net::Route infer = make(Method::kPost, base + "/infer", "oipInfer" + suffix, "Inference");
    infer.later = [oip](const Request& request, net::Later* later) {
      return oip->InferRoute(request, later);
    };
    infer.errors = {404};
    ListInfer(&infer);
    router->Add(std::move(infer));
  }
  add(Method::kPost, "/v2/repository/index", "oipIndex", "What the repository holds", &Oip::Index,
      Run::kInline);
  add(Method::kPost, "/v2/repository/models/{model}/load", "oipLoad", "Load a model", &Oip::Load,
      Run::kPool);
  add(Method::kPost, "/v2/repository/models/{model}/unload", "oipUnload", "Unload a model",
      &Oip::Unload, Run::kPool);
}

}  // namespace saferl::services
