#pragma once
// An ONNX model as plain data, between the adapter (onnx.cc, the only file that knows protobuf) and
// the conversion to and from a PolicySpec (onnx_import.cc, onnx_export.cc).
//
// What can be read: one chain from one float32 input (batch, n_obs) to one output (batch, n_act):
//   [Sub | Add | Div | Mul by constants]* [Clip(-c, c)]      the normaliser, optional
//   (Gemm | MatMul [Add]) [Tanh | Relu | Sigmoid] ...        the layers
//   [Tanh] [Mul | Add | Sub | Div by constants]*             squash and action scale, optional
// with the weights inside the file, opset 7 to 22.
// What is written: the same chain, opset 13; reading it back gives the same policy.
// Limits: 16 MiB a file, 64 nodes, 256 wide, 8 layers. No path in a model is ever followed.
// Errors: everything else: kInvalidArgument with file, node, operator and what is supported.
// RT: no.
// Source: ONNX operator schemas (Gemm-13, MatMul-13, Add-13, Sub-13, Mul-13, Div-13, Clip-13).

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/policy/policy.h"

namespace saferl::policy {

inline constexpr size_t kMaxOnnxBytes = size_t{16} << 20;
inline constexpr size_t kMaxOnnxNodes = 64;

struct OnnxTensor {
  std::string name;
  std::vector<int64_t> dims;  ///< empty: one number
  std::vector<float> values;  ///< row-major
};

struct OnnxNode {
  std::string name, op;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, float> floats;  ///< attributes
  std::map<std::string, int64_t> ints;  ///< attributes
  std::optional<OnnxTensor> tensor;     ///< Constant: its value
};

struct OnnxGraph {
  std::string name, producer;
  int64_t opset = 13;
  std::vector<OnnxTensor> constants;
  std::vector<OnnxNode> nodes;
  std::string input, output;
  std::vector<int64_t> input_dims, output_dims;  ///< -1: not fixed
};

/// `source` names the bytes in messages.
StatusOr<OnnxGraph> ParseOnnx(std::string_view bytes, std::string_view source);
std::string SerializeOnnx(const OnnxGraph& graph);
/// For models of any operators: kInvalidArgument when it is no ONNX model or names another file.
Status CheckSelfContained(std::string_view bytes, std::string_view source);

/// What ONNX does not hold gets neutral values: one field per vector, unit "1", unbounded range,
/// log_std -0.5, 16 golden vectors by ReferenceForward; without a Clip node obs_clip is the largest
/// float.
StatusOr<PolicySpec> SpecFromOnnx(const OnnxGraph& graph, std::string_view source);
StatusOr<OnnxGraph> OnnxFromSpec(const PolicySpec& spec);

}  // namespace saferl::policy
