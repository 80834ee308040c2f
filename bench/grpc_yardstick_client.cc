// The load of bench/inference_yardstick on a gRPC server: closed loop, the same request again and
// again, answers left as bytes so that the client costs the same whoever answers.
//
//   grpc_yardstick_client PORT IN_FLIGHT SECONDS   prints one JSON object; 1: a call failed
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "saferl/services/inference/oip.pb.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Call {
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
  grpc::ByteBuffer answer;
  grpc::Status status;
  Clock::time_point sent;
};

grpc::ByteBuffer Request() {
  inference::ModelInferRequest request;
  request.set_model_name("tiny");
  auto* input = request.add_inputs();
  input->set_name("observation");
  input->set_datatype("FP32");
  input->add_shape(1);
  input->add_shape(48);
  const std::vector<float> values(48, 0.3F);
  request.add_raw_input_contents(values.data(), values.size() * sizeof(float));
  const grpc::Slice slice(request.SerializeAsString());
  return {&slice, 1};
}

int Run(const std::string& target, int in_flight, double seconds) {
  const auto channel = grpc::CreateChannel(target, grpc::InsecureChannelCredentials());
  grpc::GenericStub stub(channel);
  grpc::CompletionQueue queue;
  const grpc::ByteBuffer request = Request();
  std::vector<Call> calls(static_cast<size_t>(in_flight));
  const auto send = [&](Call* call) {
    call->context = std::make_unique<grpc::ClientContext>();
    call->context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    call->sent = Clock::now();
    call->reader = stub.PrepareUnaryCall(
        call->context.get(), "/inference.GRPCInferenceService/ModelInfer", request, &queue);
    call->reader->StartCall();
    call->reader->Finish(&call->answer, &call->status, call);
  };
  for (Call& call : calls) send(&call);
  std::vector<double> latencies_us;
  latencies_us.reserve(1 << 20);
  const auto start = Clock::now();
  const auto end =
      start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  int open = in_flight;
  auto last = start;
  void* tag = nullptr;
  bool ok = false;
  while (open > 0 && queue.Next(&tag, &ok)) {
    Call* call = static_cast<Call*>(tag);
    last = Clock::now();
    if (!call->status.ok() || call->answer.Length() == 0) {
      std::fprintf(stderr, "a call failed: %s\n", call->status.error_message().c_str());
      return 1;
    }
    latencies_us.push_back(std::chrono::duration<double, std::micro>(last - call->sent).count());
    if (last < end) {
      send(call);
    } else {
      --open;
    }
  }
  const double took_s = std::chrono::duration<double>(last - start).count();
  const size_t n = latencies_us.size();
  std::sort(latencies_us.begin(), latencies_us.end());
  std::printf("{\"p50_us\": %.2f, \"p99_us\": %.2f, \"requests\": %zu, \"requests_per_s\": %.1f}\n",
              latencies_us[n / 2], latencies_us[n * 99 / 100], n, static_cast<double>(n) / took_s);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int in_flight = argc == 4 ? std::atoi(argv[2]) : 0;
  const double seconds = argc == 4 ? std::atof(argv[3]) : 0;
  if (in_flight < 1 || in_flight > 1024 || !(seconds > 0 && seconds <= 60)) {
    std::fprintf(stderr, "usage: %s PORT IN_FLIGHT(1..1024) SECONDS(..60)\n", argv[0]);
    return 2;
  }
  return Run(std::string("127.0.0.1:") + argv[1], in_flight, seconds);
}
