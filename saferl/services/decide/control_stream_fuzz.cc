// Any bytes as a binary tick of the control stream: refused with a message, or answered
// (decide_fuzz.h).
#include <cstdint>
#include <cstring>

#include "saferl/services/decide/decide_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace saferl::services;  // NOLINT(google-build-using-namespace): one function
  std::string bytes(reinterpret_cast<const char*>(data), size);
  const auto raw = FromTick(bytes);
  fuzz::Require(raw.ok() || !raw.status().message().empty());
  // The same bytes under a head that is right: what comes after it is what matters.
  bytes.resize(sizeof(saferl_tick));
  const uint32_t head[2] = {1, sizeof(saferl_tick)};
  std::memcpy(bytes.data(), head, sizeof head);
  const auto request = FromTick(bytes);
  fuzz::Require(request.ok());
  fuzz::AnswerAll(*request);
  return 0;
}
