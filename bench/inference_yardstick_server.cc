// The gRPC and inference servers of bench/inference_yardstick and bench/overload.
//
//   inference_yardstick_server saferl [FOLDER]   the inference service as `saferl up` runs it, on
//   models
//                                           "tiny" of 48-64-64-8 and "wide" of seven layers of
//                                           256; HTTP and gRPC on one port
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
#include <span>
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

saferl::Status WriteModel(const std::string& folder, const std::string& name,
                          std::span<const int> hidden) {
  saferl::policy::PolicySpec spec = saferl::policy::MakeGaussianMlp(48, 8, hidden, 1);
  spec.name = name;
  spec.robot = "wheelchair";
  spec.training_record = "{}";
  saferl::policy::MakeGoldenVectors(&spec, 4, 1);
  const auto package = saferl::policy::EncodePackage(spec);
  if (!package.ok()) return package.status();
  std::filesystem::create_directories(saferl::Cat(folder, "/models/", name));
  return saferl::WriteFileAtomic(saferl::Cat(folder, "/models/", name, "/1.policy"), *package);
}

int RunSaferl(const std::string& folder) {
  using namespace saferl::services;  // NOLINT(google-build-using-namespace): a program of one page
  int code = 3;
  constexpr std::array<int, 2> kTiny = {64, 64};
  constexpr std::array<int, 7> kWide = {256, 256, 256, 256, 256, 256, 256};
  saferl::Status status = WriteModel(folder, "tiny", kTiny);
  if (status.ok()) status = WriteModel(folder, "wide", kWide);
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
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view kind = argc >= 2 ? argv[1] : "";
  if (kind == "grpc_echo" && argc == 2) return RunGrpcEcho();
  if (kind == "saferl" && argc == 3) return RunSaferl(argv[2]);
  if (kind == "saferl" && argc == 2) {
    const std::string folder =
        std::filesystem::temp_directory_path() / saferl::Cat("saferl_yardstick_", ::getpid());
    const int code = RunSaferl(folder);
    std::filesystem::remove_all(folder);
    return code;
  }
  std::fprintf(stderr, "usage: %s saferl [FOLDER] | grpc_echo\n", argv[0]);
  return 2;
}
