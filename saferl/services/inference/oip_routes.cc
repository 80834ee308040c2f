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
  return Response::Json(JsonWriter().BeginObject().Field("error", text).EndObject().Take(), status);
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

/// The handlers share this; the router keeps it alive.
class Oip {
 public:
  Oip(OipOptions options, ModelHost* host) : options_(std::move(options)), host_(host) {}

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
    const std::string& name = request.Param("model");
    if (host_->Find(name, request.Param("version")) == nullptr) {
      if (host_->HasModel(name) && request.Param("version").empty())
        return Error(503, Cat("model '", name, "' has no version that is ready"));
      return Unknown(request);
    }
    return Response::Json(
        JsonWriter().BeginObject().Field("name", name).Field("ready", true).EndObject().Take());
  }

  Response Config(const Request& request) const {
    return WithModel(
        request, [](const ServedModel& model) { return Response::Json(ModelConfigJson(model)); });
  }

  Response Statistics(const Request& request) const {
    const std::string &name = request.Param("model"), &version = request.Param("version");
    JsonWriter w;
    w.BeginObject().Key("model_stats").BeginArray();
    bool any = false;
    std::vector<std::string> names = host_->Names();
    if (!name.empty()) names.assign(1, name);
    for (const std::string& one : names) {
      std::vector<std::string> versions = host_->Versions(one);
      if (!version.empty()) versions.assign(1, version);
      for (const std::string& v : versions) {
        const std::shared_ptr<const ServedModel> model = host_->Find(one, v);
        if (model == nullptr) continue;
        WriteStatistics(*model, &w);
        any = true;
      }
    }
    if (!any && !name.empty()) return Unknown(request);
    return Response::Json(w.EndArray().EndObject().Take());
  }

  Response InferRoute(const Request& request) const {
    if (!options_.ready()) return Error(503, "the server is not ready");
    return WithModel(request, [&](const ServedModel& model) {
      std::optional<size_t> header;
      if (const std::string* text = request.headers.Find(kHeaderLength)) {
        size_t value = 0;
        const char* end = text->data() + text->size();
        if (std::from_chars(text->data(), end, value) != std::from_chars_result{end, std::errc()})
          return Error(400, Cat(kHeaderLength, ": '", JsonEscape(text->substr(0, 40)),
                                "' is no number of bytes"));
        header = value;
      }
      StatusOr<InferRequest> message =
          header == 0U ? RawRequest(model, request.body) : DecodeInferRequest(request.body, header);
      if (!message.ok()) return Error(message.status());
      if (message->id.empty()) message->id = request.request_id;
      // Only what the answer's form depends on is kept; the tensors move on.
      InferRequest form;
      form.outputs = message->outputs;
      form.binary_output = message->binary_output;
      const StatusOr<InferResponse> answer =
          Infer(model, *std::move(message), telemetry::Transport::kHttp);
      if (!answer.ok()) return Error(answer.status());
      EncodedResponse encoded = EncodeInferResponse(*answer, form);
      Response response = Response::Json(std::move(encoded.body));
      if (encoded.header_length.has_value()) {
        response.content_type = "application/octet-stream";
        response.headers.Set(kHeaderLength, Cat(*encoded.header_length));
      }
      return response;
    });
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
    if (!options_.load) return Error(501, "this server loads models from its registry only");
    const Status status = options_.load(name);
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
  Response Unknown(const Request& request) const {
    const std::string &name = request.Param("model"), &version = request.Param("version");
    if (!host_->HasModel(name))
      return Error(
          404, Cat("model '", name, "' is not loaded; POST /v2/repository/index lists what is"));
    return Error(404, Cat("model '", name, "' has no version or alias '", version,
                          "' that is ready; it has ", Join(host_->Versions(name), ", ")));
  }

  template <class Use>
  Response WithModel(const Request& request, const Use& use) const {
    const std::shared_ptr<const ServedModel> model =
        host_->Find(request.Param("model"), request.Param("version"));
    if (model == nullptr) {
      if (host_->HasModel(request.Param("model")) && request.Param("version").empty())
        return Error(503, Cat("model '", request.Param("model"), "' has no version that is ready"));
      return Unknown(request);
    }
    return use(*model);
  }

  /// A raw request: the body is the one input's bytes.
  static StatusOr<InferRequest> RawRequest(const ServedModel& model, const std::string& body) {
    InferRequest request;
    const auto n = static_cast<size_t>(model.input.shape.back());
    const size_t row = n * sizeof(float);
    if (body.empty() || body.size() % row != 0)
      return absl::InvalidArgumentError(
          Cat("body: ", body.size(), " bytes; a raw request is a multiple of ", row));
    request.inputs.push_back({model.input.name,
                              DataType::kFp32,
                              {static_cast<int64_t>(body.size() / row), static_cast<int64_t>(n)},
                              body,
                              {}});
    request.binary_output = true;
    return request;
  }

  OipOptions options_;
  ModelHost* host_;
};

constexpr const char* kInferSchema =
    R"({"type":"object","required":["inputs"],"properties":{"id":{"type":"string"},"parameters":{"type":"object"},"inputs":{"type":"array","items":{"type":"object","required":["name","shape","datatype"],"properties":{"name":{"type":"string"},"shape":{"type":"array","items":{"type":"integer"}},"datatype":{"type":"string"},"parameters":{"type":"object"},"data":{"type":"array"}}}},"outputs":{"type":"array"}}})";

}  // namespace

std::vector<std::string> OipExtensions() {
  return {"binary_tensor_data", "model_configuration", "model_repository", "parameters",
          "statistics"};
}

std::string ModelConfigJson(const ServedModel& model) {
  JsonWriter w;
  const auto tensor = [&w](const char* key, const TensorSpec& spec) {
    w.Key(key).BeginArray().BeginObject().Field("name", spec.name);
    w.Field("data_type", Cat("TYPE_", Name(spec.type)));
    w.Key("dims").BeginArray();
    for (size_t i = 1; i < spec.shape.size(); ++i) w.Value(spec.shape[i]);
    w.EndArray().EndObject().EndArray();
  };
  w.BeginObject().Field("name", model.name).Field("platform", model.platform);
  w.Field("backend", "saferl").Field("max_batch_size", 1 << 14);
  tensor("input", model.input);
  tensor("output", model.output);
  w.Key("version_policy").BeginObject().Key("all").BeginObject().EndObject().EndObject();
  return w.EndObject().Take();
}

void AddOipRoutes(const OipOptions& options, ModelHost* host, net::Router* router) {
  const auto oip = std::make_shared<const Oip>(options, host);
  const auto add = [&](Method method, std::string pattern, std::string id, std::string summary,
                       Response (Oip::*handler)(const Request&) const, net::Run run) {
    net::Route route;
    route.method = method;
    route.pattern = std::move(pattern);
    route.operation_id = std::move(id);
    route.summary = std::move(summary);
    route.tag = "Open Inference Protocol";
    route.run = run;
    route.handler = [oip, handler](const Request& request) { return ((*oip).*handler)(request); };
    if (handler == &Oip::InferRoute) {
      route.request_schema = kInferSchema;
      route.max_body_bytes = kMaxBody;
    }
    router->Add(std::move(route));
  };
  router->SetErrorShape("/v2", [](const Request&, int status, std::string_view detail) {
    return Error(status, detail);
  });
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
    add(Method::kPost, base + "/infer", "oipInfer" + suffix, "Inference", &Oip::InferRoute,
        Run::kInline);
  }
  add(Method::kPost, "/v2/repository/index", "oipIndex", "What the repository holds", &Oip::Index,
      Run::kInline);
  add(Method::kPost, "/v2/repository/models/{model}/load", "oipLoad", "Load a model", &Oip::Load,
      Run::kPool);
  add(Method::kPost, "/v2/repository/models/{model}/unload", "oipUnload", "Unload a model",
      &Oip::Unload, Run::kPool);
}

}  // namespace saferl::services
