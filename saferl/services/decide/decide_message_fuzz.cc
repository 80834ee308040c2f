// Any bytes as a decision request in JSON: refused with a message, or answered (decide_fuzz.h).
#include <cstdint>
#include <string_view>

#include "saferl/services/decide/decide_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace saferl::services;  // NOLINT(google-build-using-namespace): one function
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto batch = DecodeDecideBatch(body, 4);
  fuzz::Require(batch.ok() || !batch.status().message().empty());
  const auto request = DecodeDecideRequest(body);
  fuzz::Require(request.ok() || !request.status().message().empty());
  if (request.ok()) fuzz::AnswerAll(*request);
  return 0;
}
