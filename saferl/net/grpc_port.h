#pragma once
// GrpcPort: a grpc++ server without a port of its own. It takes sockets that HttpServer recognised
// by the HTTP/2 preface, so that HTTP and gRPC share one port:
//
//   auto grpc = GrpcPort::Start({&inference_service}, {});
//   server->SetHttp2([&](int fd) { (*grpc)->Take(fd); });
//
// Services are grpc::Service objects (declared here, not included: only the adapter files of
// services/ that implement them include grpc++). They must outlive the port.
// grpc.health.v1.Health is served beside them. No TLS here: the HTTP port ends TLS or binds to
// loopback. Errors: kInternal when grpc++ refuses the services. RT: no.

#include <memory>
#include <string>
#include <vector>

#include "saferl/base/status.h"

namespace grpc {
class Service;
}

namespace saferl::net {

struct GrpcOptions {
  size_t max_message_bytes = 64 << 20;
  int max_threads = 8;      ///< that run synchronous handlers
  double max_idle_s = 300;  ///< a connection without calls is closed after that
};

class GrpcPort {
 public:
  static StatusOr<std::unique_ptr<GrpcPort>> Start(const std::vector<grpc::Service*>& services,
                                                   const GrpcOptions& options);
  virtual ~GrpcPort() = default;
  /// Owns the connected socket from here on.
  virtual void Take(int fd) = 0;
  /// What grpc.health.v1 answers; "" is the server as a whole, which starts as serving.
  virtual void SetServing(const std::string& service, bool serving) = 0;
  /// Lets calls end for that long, then cuts them off. Takes no more sockets.
  virtual void Drain(double seconds) = 0;
};

}  // namespace saferl::net
