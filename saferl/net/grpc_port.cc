#include "saferl/net/grpc_port.h"

#include <absl/synchronization/mutex.h>
#include <fcntl.h>
#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_posix.h>
#include <unistd.h>

#include <chrono>
#include <mutex>

namespace saferl::net {
namespace {

class Port final : public GrpcPort {
 public:
  explicit Port(std::unique_ptr<grpc::Server> server) : server_(std::move(server)) {}
  ~Port() override { Drain(0); }

  void Take(int fd) override {
    const std::lock_guard lock(mutex_);
    if (drained_) {
      close(fd);
      return;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    grpc::AddInsecureChannelFromFd(server_.get(), fd);
  }

  void SetServing(const std::string& service, bool serving) override {
    server_->GetHealthCheckService()->SetServingStatus(service, serving);
  }

  void Drain(double seconds) override {
    {
      const std::lock_guard lock(mutex_);
      if (drained_) return;
      drained_ = true;
    }
    server_->Shutdown(std::chrono::system_clock::now() +
                      std::chrono::microseconds(static_cast<int64_t>(seconds * 1e6)));
    server_->Wait();
  }

 private:
  std::mutex mutex_;
  bool drained_ = false;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

StatusOr<std::unique_ptr<GrpcPort>> GrpcPort::Start(const std::vector<grpc::Service*>& services,
                                                    const GrpcOptions& options) {
  // Debian's absl looks for cycles of locks at run time and aborts on one: a debugging aid that
  // costs each call and has no place in a service.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  for (grpc::Service* service : services) builder.RegisterService(service);
  grpc::ResourceQuota quota("saferl");
  quota.SetMaxThreads(options.max_threads);
  builder.SetResourceQuota(quota);
  const int most = static_cast<int>(options.max_message_bytes);
  builder.SetMaxReceiveMessageSize(most);
  builder.SetMaxSendMessageSize(most);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, 2);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                             static_cast<int>(options.max_idle_s * 1000));
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    return absl::InternalError("grpc: the server did not start; two services may share a name");
  }
  return std::make_unique<Port>(std::move(server));
}

}  // namespace saferl::net
