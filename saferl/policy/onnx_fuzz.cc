// Any bytes: the ONNX import ends in an error, or in a valid spec that exports and comes back.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "saferl/policy/onnx_graph.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace saferl::policy;
  const auto graph = ParseOnnx({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!graph.ok()) return 0;
  const auto spec = SpecFromOnnx(*graph, "fuzz");
  if (!spec.ok()) return 0;
  if (!spec->Validate().ok()) std::abort();
  const auto exported = OnnxFromSpec(*spec);
  if (!exported.ok() || !ParseOnnx(SerializeOnnx(*exported), "again").ok()) std::abort();
  return 0;
}
