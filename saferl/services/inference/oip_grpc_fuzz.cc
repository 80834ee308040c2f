// Any bytes as a ModelInferRequest: refused with a message, or a request whose tensors hold what
// their shapes say, and whose answer is a ModelInferResponse.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "saferl/services/inference/oip_grpc.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace saferl::services;  // NOLINT(google-build-using-namespace): one function
  auto request = DecodeInferProto({reinterpret_cast<const char*>(data), size});
  if (!request.ok()) {
    if (request.status().message().empty()) std::abort();
    return 0;
  }
  InferResponse response;
  response.model_name = "m";
  response.id = request->id;
  response.parameters = request->parameters;
  for (const Tensor& tensor : request->inputs) {
    if (!CheckTensor(tensor).ok()) std::abort();
    response.outputs.push_back(tensor);
  }
  if (EncodeInferProto(std::move(response)).empty()) std::abort();
  return 0;
}
