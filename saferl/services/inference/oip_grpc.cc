#include "saferl/services/inference/oip_grpc.h"
#include "saferl/net/trace_context.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <optional>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/services/inference/oip.grpc.pb.h"

namespace saferl::services {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

grpc::Status ToGrpc(const Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

ServerUnaryReactor* Finish(CallbackServerContext* context, const Status& status) {
  ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

/// The client's deadline on the steady clock.
int64_t DeadlineNanos(const grpc::ServerContextBase& context, int64_t now_ns) {
  const auto deadline = context.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return INT64_MAX;
  const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(
      deadline - std::chrono::system_clock::now());
  if (left.count() > INT64_MAX - now_ns) return INT64_MAX;
  return now_ns + left.count();
}

/// The caller's place in its trace; of a call without one, where a trace begins.
telemetry::SpanContext TraceOf(const grpc::ServerContextBase& context,
                               const telemetry::Tracer* tracer) {
  if (tracer == nullptr) return {};
  net::Request request;
  const auto at = context.client_metadata().find("traceparent");
  if (at != context.client_metadata().end())
    request.headers.Set("traceparent", std::string(at->second.data(), at->second.size()));
  net::SetIdentity(&request);
  telemetry::SpanContext trace = tracer->ContextOf(request);
  trace.span_id = request.parent_span_id;
  return trace;
}

/// A message as a call; its tensors move.
StatusOr<InferCall> ToCall(inference::ModelInferRequest* message, int64_t now_ns,
                           int64_t deadline_ns) {
  InferCall call;
  call.model = std::move(*message->mutable_model_name());
  call.version = std::move(*message->mutable_model_version());
  call.transport = telemetry::Transport::kGrpc;
  call.received_ns = now_ns;
  call.deadline_ns = deadline_ns;
  SAFERL_ASSIGN_OR_RETURN(call.request, FromProto(message));
  return call;
}

/// A message of this thread that keeps its memory from one small call to the next; a large one has
/// its own, which goes with it.
constexpr size_t kSmallMessage = 16 << 10;
template <class Message>
class Scratch {
 public:
  explicit Scratch(bool small) : small_(small) {
    if (!small_) own_.emplace();
  }
  ~Scratch() {
    if (small_) Kept().Clear();
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  Message& operator*() { return small_ ? Kept() : *own_; }

 private:
  static Message& Kept() {
    thread_local Message message;
    return message;
  }
  bool small_;
  std::optional<Message> own_;
};

bool Parse(const grpc::ByteBuffer& wire, inference::ModelInferRequest* message) {
  grpc::Slice slice;
  if (wire.Length() <= kSmallMessage && wire.TrySingleSlice(&slice).ok())
    return message->ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
  grpc::ByteBuffer shared(wire);  // its slices are not copied
  return grpc::SerializationTraits<inference::ModelInferRequest>::Deserialize(&shared, message)
      .ok();
}

grpc::Status Serialize(InferResponse answer, grpc::ByteBuffer* wire) {
  size_t bytes = 0;
  for (const Tensor& tensor : answer.outputs) bytes += tensor.bytes.size();
  Scratch<inference::ModelInferResponse> scratch(bytes <= kSmallMessage);
  inference::ModelInferResponse& message = *scratch;
  ToProto(std::move(answer), &message);
  const size_t size = message.ByteSizeLong();
  if (size > kSmallMessage) {
    bool own = false;
    return grpc::SerializationTraits<inference::ModelInferResponse>::Serialize(message, wire, &own);
  }
  grpc::Slice slice(size);
  message.SerializeWithCachedSizesToArray(const_cast<uint8_t*>(slice.begin()));
  grpc::ByteBuffer(&slice, 1).Swap(wire);
  return grpc::Status::OK;
}

/// One ModelStreamInfer: read, compute, write, read the next. Deletes itself in OnDone.
class Stream final : public grpc::ServerBidiReactor<inference::ModelInferRequest,
                                                    inference::ModelStreamInferResponse> {
 public:
  Stream(const OipOptions* options, Engine* engine, CallbackServerContext* context)
      : options_(options), engine_(engine), context_(context) {
    StartRead(&request_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) {  // the client has sent its last, or is gone
      Finish(grpc::Status::OK);
      return;
    }
    response_.Clear();
    if (!options_->ready()) {
      response_.set_error_message("the server is not ready");
      StartWrite(&response_);
      return;
    }
    const int64_t now = Nanos();
    std::string id = request_.id();
    auto answer = [this, id = std::move(id)](StatusOr<InferResponse> result) mutable {
      inference::ModelInferResponse* message = response_.mutable_infer_response();
      if (result.ok()) {
        result->parameters["triton_final_response"] = true;
        ToProto(*std::move(result), message);
      } else {
        message->set_id(std::move(id));
        response_.set_error_message(std::string(result.status().message()));
      }
      StartWrite(&response_);
    };
    StatusOr<InferCall> call = ToCall(&request_, now, DeadlineNanos(*context_, now));
    if (call.ok()) {
      call->trace = TraceOf(*context_, engine_->tracer());
      engine_->Submit(*std::move(call), std::move(answer));
    } else {
      answer(call.status());
    }
  }
  void OnWriteDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::CANCELLED);
      return;
    }
    StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  const OipOptions* options_;
  Engine* engine_;
  CallbackServerContext* context_;
  inference::ModelInferRequest request_;
  inference::ModelStreamInferResponse response_;
};

template <class Message>
void Fill(const TensorSpec& spec, Message* to) {
  to->set_name(spec.name);
  to->set_datatype(std::string(Name(spec.type)));
  to->mutable_shape()->Add(spec.shape.begin(), spec.shape.end());
}

template <class Message>
void FillConfig(const TensorSpec& spec, bool rows, Message* to) {
  to->set_name(spec.name);
  inference::DataType type = inference::TYPE_INVALID;
  inference::DataType_Parse(ConfigTypeName(spec.type), &type);
  to->set_data_type(type);
  for (size_t i = rows ? 1 : 0; i < spec.shape.size(); ++i) to->add_dims(spec.shape[i]);
}

void Fill(const Tally& tally, inference::StatisticDuration* to) {
  to->set_count(tally.count.load());
  to->set_ns(tally.ns.load());
}

void Fill(const ServedModel& model, inference::ModelStatistics* to) {
  const ModelStatistics& s = model.statistics;
  to->set_name(model.name);
  to->set_version(model.version);
  to->set_last_inference(s.last_inference_ms.load());
  to->set_inference_count(s.inference_count.load());
  to->set_execution_count(s.execution_count.load());
  inference::InferStatistics* all = to->mutable_inference_stats();
  Fill(s.success, all->mutable_success());
  Fill(s.fail, all->mutable_fail());
  Fill(s.queue, all->mutable_queue());
  Fill(s.compute_input, all->mutable_compute_input());
  Fill(s.compute_infer, all->mutable_compute_infer());
  Fill(s.compute_output, all->mutable_compute_output());
  all->mutable_cache_hit();
  all->mutable_cache_miss();
}

/// ModelInfer takes and gives the wire's bytes: grpc++ would answer a message that it cannot parse
/// with UNIMPLEMENTED.
using Base = inference::GRPCInferenceService::WithRawCallbackMethod_ModelInfer<
    inference::GRPCInferenceService::CallbackService>;

class Service final : public Base {
 public:
  Service(OipOptions options, Engine* engine)
      : options_(std::move(options)), engine_(engine), host_(&engine->host()) {}

  ServerUnaryReactor* ServerLive(CallbackServerContext* context,
                                 const inference::ServerLiveRequest*,
                                 inference::ServerLiveResponse* response) override {
    response->set_live(true);
    return Finish(context, absl::OkStatus());
  }

  ServerUnaryReactor* ServerReady(CallbackServerContext* context,
                                  const inference::ServerReadyRequest*,
                                  inference::ServerReadyResponse* response) override {
    response->set_ready(options_.ready());
    return Finish(context, absl::OkStatus());
  }

  /// A model that is not there is "not ready", as Triton says it.
  ServerUnaryReactor* ModelReady(CallbackServerContext* context,
                                 const inference::ModelReadyRequest* request,
                                 inference::ModelReadyResponse* response) override {
    response->set_ready(host_->Find(request->name(), request->version()) != nullptr);
    return Finish(context, absl::OkStatus());
  }

  ServerUnaryReactor* ServerMetadata(CallbackServerContext* context,
                                     const inference::ServerMetadataRequest*,
                                     inference::ServerMetadataResponse* response) override {
    response->set_name(options_.server_name);
    response->set_version(options_.server_version);
    for (std::string& extension : OipExtensions()) response->add_extensions(std::move(extension));
    return Finish(context, absl::OkStatus());
  }

  ServerUnaryReactor* ModelMetadata(CallbackServerContext* context,
                                    const inference::ModelMetadataRequest* request,
                                    inference::ModelMetadataResponse* response) override {
    const auto model = host_->Resolve(request->name(), request->version());
    if (!model.ok()) return Finish(context, model.status());
    response->set_name((*model)->name);
    response->set_platform((*model)->platform);
    for (std::string& version : host_->Versions((*model)->name))
      response->add_versions(std::move(version));
    Fill((*model)->input, response->add_inputs());
    Fill((*model)->output, response->add_outputs());
    return Finish(context, absl::OkStatus());
  }

  ServerUnaryReactor* ModelConfig(CallbackServerContext* context,
                                  const inference::ModelConfigRequest* request,
                                  inference::ModelConfigResponse* response) override {
    const auto model = host_->Resolve(request->name(), request->version());
    if (!model.ok()) return Finish(context, model.status());
    inference::ModelConfig* config = response->mutable_config();
    config->set_name((*model)->name);
    config->set_platform((*model)->platform);
    config->set_backend((*model)->backend);
    const bool rows = HasRows((*model)->input);
    config->set_max_batch_size(rows ? kMaxRows : 0);
    config->mutable_version_policy()->mutable_all();
    FillConfig((*model)->input, rows, config->add_input());
    FillConfig((*model)->output, rows, config->add_output());
    for (const policy::OnnxState& part : StatesOf(**model)) {
      inference::ModelSequenceBatching::State* state =
          config->mutable_sequence_batching()->add_state();
      state->set_input_name(part.input);
      state->set_output_name(part.output);
      state->set_data_type(inference::TYPE_FP32);
      for (const int64_t d : part.shape) state->add_dims(d);
    }
    return Finish(context, absl::OkStatus());
  }

  ServerUnaryReactor* ModelStatistics(CallbackServerContext* context,
                                      const inference::ModelStatisticsRequest* request,
                                      inference::ModelStatisticsResponse* response) override {
    const auto models = host_->Matching(request->name(), request->version());
    if (!models.ok()) return Finish(context, models.status());
    for (const auto& model : *models) Fill(*model, response->add_model_stats());
    return Finish(context, absl::OkStatus());
  }

  ServerUnaryReactor* ModelInfer(CallbackServerContext* context, const grpc::ByteBuffer* request,
                                 grpc::ByteBuffer* response) override {
    if (!options_.ready())
      return Finish(context, absl::UnavailableError("the server is not ready"));
    const int64_t now = Nanos();
    StatusOr<InferCall> call = NoMessage();
    {
      Scratch<inference::ModelInferRequest> message(request->Length() <= kSmallMessage);
      if (Parse(*request, &*message)) call = ToCall(&*message, now, DeadlineNanos(*context, now));
    }
    if (!call.ok()) return Finish(context, call.status());
    call->trace = TraceOf(*context, engine_->tracer());
    ServerUnaryReactor* reactor = context->DefaultReactor();
    engine_->Submit(*std::move(call), [reactor, response](StatusOr<InferResponse> answer) {
      reactor->Finish(answer.ok() ? Serialize(*std::move(answer), response)
                                  : ToGrpc(answer.status()));
    });
    return reactor;
  }

  grpc::ServerBidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>*
  ModelStreamInfer(CallbackServerContext* context) override {
    return new Stream(&options_, engine_, context);
  }

  ServerUnaryReactor* RepositoryIndex(CallbackServerContext* context,
                                      const inference::RepositoryIndexRequest* request,
                                      inference::RepositoryIndexResponse* response) override {
    for (IndexEntry& entry : host_->Index()) {
      if (request->ready() && entry.state != "READY") continue;
      auto* model = response->add_models();
      model->set_name(std::move(entry.name));
      model->set_version(std::move(entry.version));
      model->set_state(std::move(entry.state));
      model->set_reason(std::move(entry.reason));
    }
    return Finish(context, absl::OkStatus());
  }

  ServerUnaryReactor* RepositoryModelLoad(CallbackServerContext* context,
                                          const inference::RepositoryModelLoadRequest* request,
                                          inference::RepositoryModelLoadResponse*) override {
    std::vector<std::string> parameters;
    for (const auto& [key, value] : request->parameters()) parameters.push_back(key);
    return Finish(context, LoadModel(options_, request->model_name(), parameters));
  }

  ServerUnaryReactor* RepositoryModelUnload(CallbackServerContext* context,
                                            const inference::RepositoryModelUnloadRequest* request,
                                            inference::RepositoryModelUnloadResponse*) override {
    return Finish(context, host_->Unload(request->model_name()));
  }

 private:
  OipOptions options_;
  Engine* engine_;
  ModelHost* host_;
};

class Adapter final : public OipGrpc {
 public:
  Adapter(const OipOptions& options, Engine* engine) : service_(options, engine) {}
  grpc::Service* service() override { return &service_; }

 private:
  Service service_;
};

}  // namespace

std::unique_ptr<OipGrpc> MakeOipGrpc(const OipOptions& options, Engine* engine) {
  QuietProtobuf();
  return std::make_unique<Adapter>(options, engine);
}

}  // namespace saferl::services
