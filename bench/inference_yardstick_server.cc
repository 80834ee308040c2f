// The gRPC and inference servers of bench/inference_yardstick.
//
//   inference_yardstick_server saferl       the inference service as `saferl up` runs it, on a
//   model
//                                           "tiny" of 48-64-64-8; HTTP and gRPC on one port
//   inference_yardstick_server grpc_echo    the smallest honest grpc++ server: a unary method on
//                                           the callback API that hands the bytes back unparsed
//
// Each prints its port and serves until standard input ends.
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "saferl/base/file.h"
#include "saferl/base/text.h"
#include "saferl/policy/package.h"
#include "saferl/policy/spec_builder.h"
#include "saferl/services/app.h"
#include "saferl/services/inference/oip.grpc.pb.h"

namespace {

void ServeUntilInputEnds(int port) {
  std::printf("%d\n", port);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
}

class EchoService : public inference::GRPCInferenceService::WithRawCallbackMethod_ModelInfer<
                        inference::GRPCInferenceService::Service> {
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override {
    *response = *request;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

int RunGrpcEcho() {
  EchoService service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    std::fprintf(stderr, "grpc++ could not listen\n");
    return 3;
  }
  ServeUntilInputEnds(port);
  server->Shutdown();
  return 0;
}

saferl::StatusOr<std::string> TinyPackage() {
  constexpr std::array<int, 2> kHidden = {64, 64};
  saferl::policy::PolicySpec spec = saferl::policy::MakeGaussianMlp(48, 8, kHidden, 1);
  spec.name = "tiny";
  spec.robot = "wheelchair";
  spec.training_record = "{}";
  saferl::policy::MakeGoldenVectors(&spec, 4, 1);
  return saferl::policy::EncodePackage(spec);
}

int RunSaferl() {
  using namespace saferl::services;  // NOLINT(google-build-using-namespace): a program of one page
  const std::string folder =
      std::filesystem::temp_directory_path() / saferl::Cat("saferl_yardstick_", ::getpid());
  std::filesystem::create_directories(folder + "/models/tiny");
  int code = 3;
  const auto package = TinyPackage();
  saferl::Status status = package.status();
  if (status.ok()) {
    status = saferl::WriteFileAtomic(folder + "/models/tiny/1.policy", *package);
  }
  if (status.ok()) {
    ServiceConfig config;
    config.data_dir = folder;
    config.api.port = config.inference_server.port = config.monitor_server.port = 0;
    auto app = App::Start(config, {"0", "bench"}, {Service::kInference});
    status = app.status();
    if (status.ok()) {
      ServeUntilInputEnds((*app)->inference_port());
      code = 0;
    }
  }
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::filesystem::remove_all(folder);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view kind = argc == 2 ? argv[1] : "";
  if (kind == "saferl") return RunSaferl();
  if (kind == "grpc_echo") return RunGrpcEcho();
  std::fprintf(stderr, "usage: %s saferl|grpc_echo\n", argv[0]);
  return 2;
}
