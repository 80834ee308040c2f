#pragma once
// The gRPC control stream saferl.v1.Control (control.proto): on the inference port, beside HTTP.
//
// Each stream: read, decide on `pool`, write, read again; so the order holds and a slow client
// slows itself alone. Streams hold no thread while they wait. RT: no.

#include <memory>
#include <string_view>

#include "saferl/services/decide/decide_stream.h"

namespace grpc {
class Service;
}

namespace saferl::services {

class ControlGrpc {
 public:
  virtual ~ControlGrpc() = default;
  virtual grpc::Service* service() = 0;
};
/// A serialized saferl.v1.Observation as a request. Errors: kInvalidArgument naming the field.
StatusOr<DecideRequest> ReadObservation(std::string_view bytes);
/// What the parts point to must outlive it; it must outlive the port that serves it.
std::unique_ptr<ControlGrpc> MakeControlGrpc(const StreamParts& parts);

}  // namespace saferl::services
