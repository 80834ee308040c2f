#pragma once
// The Open Inference Protocol v2 over gRPC: GRPCInferenceService of oip.proto on the same Engine as
// the REST routes. Served by GrpcPort, on the port that also speaks HTTP.
//
// Callback API: a request is decoded and, where a slot is free, computed and answered on the thread
// that read it. The tensors' bytes move from the message into the request and from the answer into
// the message; no copy is made between gRPC's buffers and the kernel but protobuf's own.
// Answers are always raw_output_contents. A stream answers in order, one request at a time; an
// error in it is a message, and the stream goes on.
// Errors: the canonical codes, one to one. RT: no.
// Source: kserve/open-inference-protocol, inference_grpc.md; Triton's extension documents.

#include <memory>
#include <string>
#include <string_view>

#include "saferl/services/inference/oip_routes.h"

namespace grpc {
class Service;
}
namespace inference {
class ModelInferRequest;
class ModelInferResponse;
}  // namespace inference

namespace saferl::services {

class OipGrpc {
 public:
  virtual ~OipGrpc() = default;
  virtual grpc::Service* service() = 0;
};
/// `engine` must outlive it.
std::unique_ptr<OipGrpc> MakeOipGrpc(const OipOptions& options, Engine* engine);

/// The message as an InferRequest; tensors are moved out of it. kInvalidArgument names the input.
StatusOr<InferRequest> FromProto(inference::ModelInferRequest* message);
void ToProto(InferResponse response, inference::ModelInferResponse* message);

/// What a client hears whose bytes are no ModelInferRequest.
Status NoMessage();
/// protobuf would write a line to standard error for each message with bad UTF-8, as often as a
/// client likes; the client is told instead.
void QuietProtobuf();

/// The same from and to the wire, for tests and fuzzing.
StatusOr<InferRequest> DecodeInferProto(std::string_view wire);
std::string EncodeInferProto(InferResponse response);

}  // namespace saferl::services
