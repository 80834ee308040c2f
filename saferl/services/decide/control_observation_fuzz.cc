// Any bytes as the Observation of a gRPC control stream: refused with a message, or answered
// (decide_fuzz.h).
#include <cstdint>
#include <string_view>

#include "saferl/services/decide/control_grpc.h"
#include "saferl/services/decide/decide_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace saferl::services;  // NOLINT(google-build-using-namespace): one function
  const auto request = ReadObservation({reinterpret_cast<const char*>(data), size});
  fuzz::Require(request.ok() || !request.status().message().empty());
  if (request.ok()) fuzz::AnswerAll(*request);
  return 0;
}
