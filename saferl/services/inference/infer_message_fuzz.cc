// Any bytes as an inference request: refused with a message, or a request whose tensors hold what
// their shapes say and which can be answered.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "saferl/services/inference/infer_message.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace saferl::services;  // NOLINT(google-build-using-namespace): one function
  std::string_view body(reinterpret_cast<const char*>(data), size);
  std::optional<size_t> header;
  if (size > 2 && data[0] == 'B') {  // 'B', length of the JSON / 4, body
    header = size_t{data[1]} * 4;
    body.remove_prefix(2);
  }
  const auto request = DecodeInferRequest(body, header);
  if (!request.ok()) {
    if (request.status().message().empty()) std::abort();
    return 0;
  }
  InferResponse response;
  for (const Tensor& tensor : request->inputs) {
    if (!CheckTensor(tensor).ok()) std::abort();
    response.outputs.push_back(tensor);
  }
  const EncodedResponse encoded = EncodeInferResponse(response, *request);
  if (encoded.header_length.has_value() && *encoded.header_length > encoded.body.size())
    std::abort();
  return 0;
}
