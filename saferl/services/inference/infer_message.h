#pragma once
// Inference messages of the Open Inference Protocol v2: one request and one response, as REST
// (JSON, or JSON followed by raw tensors, "binary extension") and gRPC carry them.
//
// Shapes: a tensor's `bytes` are its elements row by row, little-endian; BYTES elements are a
// 32-bit length and that many bytes. Errors: kInvalidArgument that names the input and the fix;
// nothing is allocated for a size before it was compared with what is there. RT: no. Source:
// kserve/open-inference-protocol, inference_rest.md; Triton's protocol/extension_binary_data.md.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::services {

enum class DataType : uint8_t {
  kBool,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFp16,
  kFp32,
  kFp64,
  kBytes,
  kBf16,
  kCount,
};
std::string_view Name(DataType type);
StatusOr<DataType> ParseDataType(std::string_view name);
/// Bytes of one element; 0 for BYTES.
size_t SizeOf(DataType type);

using Parameter = std::variant<bool, int64_t, double, std::string>;
using Parameters = std::map<std::string, Parameter>;
/// kInvalidArgument: the parameter, and what to send.
Status BadParameter(std::string_view name, std::string_view want);

struct Tensor {
  std::string name;
  DataType type = DataType::kFp32;
  std::vector<int64_t> shape;
  std::string bytes;
  Parameters parameters;  ///< without those about binary data
};
/// Elements of a shape; an error for negative or absurd dimensions.
StatusOr<int64_t> Elements(const std::vector<int64_t>& shape);
/// Checks that the bytes are what shape and type ask for.
Status CheckTensor(const Tensor& tensor);

struct OutputWish {
  std::string name;
  bool binary = false;  ///< raw after the JSON instead of numbers in it
  int64_t classification = 0;
};

struct InferRequest {
  std::string id;
  std::string model_name, model_version;  ///< in the body, as KServe's client sends it; or empty
  Parameters
      parameters;  ///< sequence_id, sequence_start, sequence_end, priority, timeout [us], ...
  std::vector<Tensor> inputs;
  std::vector<OutputWish> outputs;  ///< empty: all of them
  bool binary_output = false;       ///< for outputs that are not in the list
};

struct InferResponse {
  std::string model_name, model_version, id;
  Parameters parameters;
  std::vector<Tensor> outputs;
};

inline constexpr int64_t kMaxElements = 1 << 24;

/// `body` is JSON, or, when header_length is set, JSON of that many bytes and raw tensors. A header
/// length of 0 is a raw request without JSON: the caller makes its one input.
StatusOr<InferRequest> DecodeInferRequest(std::string_view body,
                                          std::optional<size_t> header_length);

struct EncodedResponse {
  std::string body;
  std::optional<size_t> header_length;  ///< set when raw tensors follow the JSON
};
/// Outputs in the request's order; each as JSON or raw, as it asked.
EncodedResponse EncodeInferResponse(const InferResponse& response, const InferRequest& request);

}  // namespace saferl::services
