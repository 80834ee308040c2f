// Any text as MLflow's filter and order_by: conditions, or an error with a message.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "saferl/services/mlflow/filter.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace saferl::services::mlflow;  // NOLINT(google-build-using-namespace): one function
  const auto require = [](bool holds) {
    if (!holds) std::abort();
  };
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const bool versions : {false, true}) {
    const auto filter = ParseFilter(text, versions);
    require(filter.ok() || !filter.status().message().empty());
    // No condition needs less than three bytes of the text.
    require(!filter.ok() || 3 * filter->size() <= size + 3);
    const auto order = ParseOrder({text}, versions);
    require(order.ok() ? order->size() <= 1 : !order.status().message().empty());
  }
  return 0;
}
