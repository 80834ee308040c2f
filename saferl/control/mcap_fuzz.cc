// Any bytes: the log reader reads or refuses, strictly and leniently, within its bounds; what it
// accepts encodes again.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "saferl/control/decision_codec.h"
#include "saferl/control/decision_log.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace saferl::control;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto decision = std::make_unique<Decision>();
  for (const bool accept_truncated : {false, true}) {
    auto reader = DecisionLogReader::OpenBytes(bytes, "fuzz", {accept_truncated});
    while (reader.ok()) {
      auto next = (*reader)->Next(decision.get());
      if (!next.ok() && next.status().message().empty()) std::abort();
      if (!next.ok() || !*next) break;
    }
  }
  // The message decoder alone, which CRCs shield in a whole file.
  for (const DecisionShape shape :
       {DecisionShape{2, 3}, DecisionShape{7, 7}, DecisionShape{4, 4}}) {
    if (!DecodeDecision(shape, bytes, decision.get()).ok()) continue;
    std::string again;
    EncodeDecision(shape, *decision, &again);
    if (again != bytes) std::abort();
  }
  return 0;
}
