// ONNX's protobuf messages <-> OnnxGraph. The only file that includes them.
#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cstring>

#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/policy/onnx_graph.h"

namespace saferl::policy {
namespace {

constexpr int64_t kMinOpset = 7, kMaxOpset = 22;
constexpr int64_t kMaxElements = int64_t{kMaxWidth} * kMaxWidth;

/// Names in the message come from the file: they are escaped, so that they cannot steer a terminal.
Status Bad(std::string_view source, std::string_view where, std::string_view problem,
           std::string_view fix) {
  return absl::InvalidArgumentError(
      fmt::format("{}: {}: {}; {}", source, JsonEscape(where), JsonEscape(problem), fix));
}

bool IsExternal(const onnx::TensorProto& tensor) {
  return tensor.data_location() == onnx::TensorProto::EXTERNAL || tensor.external_data_size() > 0;
}

StatusOr<OnnxTensor> ReadTensor(const onnx::TensorProto& proto, std::string_view source,
                                std::string_view where) {
  if (IsExternal(proto)) {
    return Bad(source, where, "keeps its numbers in another file",
               "export the model with the weights inside it");
  }
  if (proto.data_type() != onnx::TensorProto::FLOAT) {
    return Bad(source, where, fmt::format("has data type {}", proto.data_type()),
               "convert the model to float32 (data type 1)");
  }
  OnnxTensor tensor;
  tensor.name = proto.name();
  int64_t n = 1;
  for (const int64_t dim : proto.dims()) {
    if (dim < 1 || dim > kMaxElements || n * dim > kMaxElements) {
      return Bad(source, where, fmt::format("has a dimension {}", dim),
                 fmt::format("dimensions are 1 or more, at most {} numbers in all", kMaxElements));
    }
    n *= dim;
    tensor.dims.push_back(dim);
  }
  if (tensor.dims.size() > 4) {
    return Bad(source, where, fmt::format("has {} dimensions", tensor.dims.size()), "use 0 to 2");
  }
  const auto bytes = static_cast<size_t>(n) * sizeof(float);
  const bool raw = proto.has_raw_data();
  if ((raw && (proto.raw_data().size() != bytes || proto.float_data_size() != 0)) ||
      (!raw && proto.float_data_size() != n)) {
    return Bad(
        source, where,
        fmt::format("has {} bytes of raw data and {} floats where its shape needs {} numbers",
                    proto.raw_data().size(), proto.float_data_size(), n),
        "export the model again");
  }
  tensor.values.resize(static_cast<size_t>(n));
  std::memcpy(tensor.values.data(),
              raw ? proto.raw_data().data() : static_cast<const void*>(proto.float_data().data()),
              bytes);
  return tensor;
}

StatusOr<OnnxNode> ReadNode(const onnx::NodeProto& proto, std::string_view source, int index) {
  OnnxNode node;
  node.op = proto.op_type();
  node.name = fmt::format("node {} '{}' ({})", index, proto.name(), node.op);
  if (!proto.domain().empty() && proto.domain() != "ai.onnx") {
    return Bad(source, node.name, fmt::format("is of domain '{}'", proto.domain()),
               "only operators of the standard domain are supported");
  }
  node.inputs.assign(proto.input().begin(), proto.input().end());
  node.outputs.assign(proto.output().begin(), proto.output().end());
  for (const onnx::AttributeProto& attribute : proto.attribute()) {
    switch (attribute.type()) {
      case onnx::AttributeProto::FLOAT:
        node.floats[attribute.name()] = attribute.f();
        break;
      case onnx::AttributeProto::INT:
        node.ints[attribute.name()] = attribute.i();
        break;
      case onnx::AttributeProto::TENSOR: {
        if (node.op != "Constant" || attribute.name() != "value") {
          return Bad(source, node.name,
                     fmt::format("has a tensor attribute '{}'", attribute.name()),
                     "only Constant has one");
        }
        SAFERL_ASSIGN_OR_RETURN(node.tensor, ReadTensor(attribute.t(), source, node.name));
        break;
      }
      default:
        return Bad(source, node.name,
                   fmt::format("has an attribute '{}' of type {}", attribute.name(),
                               static_cast<int>(attribute.type())),
                   "attributes are numbers only: no graphs, texts or lists");
    }
  }
  return node;
}

StatusOr<std::vector<int64_t>> ReadShape(const onnx::ValueInfoProto& proto, std::string_view source,
                                         std::string_view where) {
  if (!proto.type().has_tensor_type() ||
      proto.type().tensor_type().elem_type() != onnx::TensorProto::FLOAT) {
    return Bad(source, where, fmt::format("'{}' is not a float32 tensor", proto.name()),
               "convert the model to float32");
  }
  std::vector<int64_t> dims;
  const onnx::TensorShapeProto& shape = proto.type().tensor_type().shape();
  if (shape.dim_size() > 4) {
    return Bad(source, where, fmt::format("has {} dimensions", shape.dim_size()),
               "use (batch, size)");
  }
  for (const auto& dim : shape.dim()) dims.push_back(dim.has_dim_value() ? dim.dim_value() : -1);
  return dims;
}

Status CheckModel(const onnx::ModelProto& model, std::string_view source) {
  if (!model.has_graph()) return Bad(source, "model", "holds no graph", "export the model again");
  if (model.functions_size() > 0) {
    return Bad(source, "model", "defines functions", "export it with the functions written out");
  }
  if (model.graph().sparse_initializer_size() > 0) {
    return Bad(source, "graph", "has sparse weights", "export it with dense weights");
  }
  if (static_cast<size_t>(model.graph().node_size()) > kMaxOnnxNodes) {
    return Bad(source, "graph", fmt::format("has {} nodes", model.graph().node_size()),
               fmt::format("at most {} fit", kMaxOnnxNodes));
  }
  return absl::OkStatus();
}

StatusOr<int64_t> Opset(const onnx::ModelProto& model, std::string_view source) {
  int64_t opset = 0;
  for (const onnx::OperatorSetIdProto& id : model.opset_import()) {
    if (id.domain().empty() || id.domain() == "ai.onnx") opset = id.version();
  }
  if (opset < kMinOpset || opset > kMaxOpset) {
    return Bad(source, "opset_import", fmt::format("is {}", opset),
               fmt::format("export with an opset from {} to {}", kMinOpset, kMaxOpset));
  }
  return opset;
}

/// Old files list their weights among the inputs: what is left must be one.
StatusOr<const onnx::ValueInfoProto*> SingleInput(const onnx::GraphProto& proto,
                                                  const OnnxGraph& graph, std::string_view source) {
  const onnx::ValueInfoProto* input = nullptr;
  for (const onnx::ValueInfoProto& value : proto.input()) {
    bool constant = false;
    for (const OnnxTensor& tensor : graph.constants)
      constant = constant || tensor.name == value.name();
    if (constant) continue;
    if (input != nullptr) {
      return Bad(source, "graph",
                 fmt::format("has the inputs '{}' and '{}'", input->name(), value.name()),
                 "a policy has one input, the observation");
    }
    input = &value;
  }
  if (input == nullptr)
    return Bad(source, "graph", "has no input", "a policy has one input, the observation");
  return input;
}

void AddTensor(const OnnxTensor& tensor, onnx::TensorProto* proto) {
  proto->set_name(tensor.name);
  proto->set_data_type(onnx::TensorProto::FLOAT);
  for (const int64_t dim : tensor.dims) proto->add_dims(dim);
  proto->set_raw_data(tensor.values.data(), tensor.values.size() * sizeof(float));
}

void AddValue(const std::string& name, const std::vector<int64_t>& dims,
              onnx::ValueInfoProto* proto) {
  proto->set_name(name);
  auto* type = proto->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  for (const int64_t dim : dims) {
    auto* d = type->mutable_shape()->add_dim();
    if (dim >= 0) {
      d->set_dim_value(dim);
    } else {
      d->set_dim_param("batch");
    }
  }
}

void AddNode(const OnnxNode& node, onnx::NodeProto* proto) {
  proto->set_name(node.name);
  proto->set_op_type(node.op);
  for (const std::string& input : node.inputs) proto->add_input(input);
  for (const std::string& output : node.outputs) proto->add_output(output);
  for (const auto& [name, value] : node.floats) {
    auto* attribute = proto->add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::FLOAT);
    attribute->set_f(value);
  }
  for (const auto& [name, value] : node.ints) {
    auto* attribute = proto->add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INT);
    attribute->set_i(value);
  }
}

bool IsExternal(const onnx::SparseTensorProto& sparse) {
  return IsExternal(sparse.values()) || IsExternal(sparse.indices());
}

bool NamesFile(const onnx::GraphProto& graph);

bool NamesFile(const onnx::NodeProto& node) {
  const auto is_external = [](const auto& tensor) { return IsExternal(tensor); };
  const auto names_file = [](const auto& part) { return NamesFile(part); };
  return std::ranges::any_of(node.attribute(), [&](const onnx::AttributeProto& a) {
    return IsExternal(a.t()) || IsExternal(a.sparse_tensor()) ||
           std::ranges::any_of(a.tensors(), is_external) ||
           std::ranges::any_of(a.sparse_tensors(), is_external) ||
           (a.has_g() && NamesFile(a.g())) || std::ranges::any_of(a.graphs(), names_file);
  });
}

/// As deep as protobuf reads: 100 levels.
bool NamesFile(const onnx::GraphProto& graph) {
  const auto is_external = [](const auto& tensor) { return IsExternal(tensor); };
  return std::ranges::any_of(graph.initializer(), is_external) ||
         std::ranges::any_of(graph.sparse_initializer(), is_external) ||
         std::ranges::any_of(graph.node(), [](const auto& node) { return NamesFile(node); });
}

}  // namespace

Status CheckSelfContained(std::string_view bytes, std::string_view source) {
  const google::protobuf::LogSilencer silence;
  onnx::ModelProto model;
  if (bytes.size() > size_t{INT32_MAX} ||
      !model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !model.has_graph()) {
    return Bad(source, "file", "is not an ONNX model or was cut off", "export or copy it again");
  }
  bool external = NamesFile(model.graph());
  for (const auto& function : model.functions()) {
    for (const auto& node : function.node()) external = external || NamesFile(node);
  }
  if (!external) return absl::OkStatus();
  return Bad(source, "model", "keeps its numbers in another file",
             "export the model with the weights inside it");
}

StatusOr<OnnxGraph> ParseOnnx(std::string_view bytes, std::string_view source) {
  if (bytes.size() > kMaxOnnxBytes) {
    return Bad(source, "file", fmt::format("has {} bytes", bytes.size()),
               fmt::format("at most {} fit", kMaxOnnxBytes));
  }
  const google::protobuf::LogSilencer silence;
  onnx::ModelProto model;
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Bad(source, "file", "is not an ONNX model or was cut off", "export or copy it again");
  }
  SAFERL_RETURN_IF_ERROR(CheckModel(model, source));
  OnnxGraph graph;
  graph.name = model.graph().name();
  graph.producer = model.producer_name();
  SAFERL_ASSIGN_OR_RETURN(graph.opset, Opset(model, source));
  const onnx::GraphProto& proto = model.graph();
  if (static_cast<size_t>(proto.initializer_size()) > 4 * kMaxOnnxNodes) {
    return Bad(source, "graph", fmt::format("has {} initializers", proto.initializer_size()),
               fmt::format("at most {} fit", 4 * kMaxOnnxNodes));
  }
  for (const onnx::TensorProto& tensor : proto.initializer()) {
    SAFERL_ASSIGN_OR_RETURN(
        OnnxTensor read,
        ReadTensor(tensor, source, fmt::format("initializer '{}'", tensor.name())));
    graph.constants.push_back(std::move(read));
  }
  for (int i = 0; i < proto.node_size(); ++i) {
    SAFERL_ASSIGN_OR_RETURN(OnnxNode node, ReadNode(proto.node(i), source, i));
    graph.nodes.push_back(std::move(node));
  }
  SAFERL_ASSIGN_OR_RETURN(const onnx::ValueInfoProto* input, SingleInput(proto, graph, source));
  graph.input = input->name();
  SAFERL_ASSIGN_OR_RETURN(graph.input_dims, ReadShape(*input, source, "input"));
  if (proto.output_size() != 1) {
    return Bad(source, "graph", fmt::format("has {} outputs", proto.output_size()),
               "a policy has one output, the mean action");
  }
  graph.output = proto.output(0).name();
  return graph;
}

std::string SerializeOnnx(const OnnxGraph& graph) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.set_producer_name(graph.producer);
  model.add_opset_import()->set_version(graph.opset);
  onnx::GraphProto* proto = model.mutable_graph();
  proto->set_name(graph.name);
  for (const OnnxTensor& tensor : graph.constants) AddTensor(tensor, proto->add_initializer());
  for (const OnnxNode& node : graph.nodes) AddNode(node, proto->add_node());
  AddValue(graph.input, graph.input_dims, proto->add_input());
  AddValue(graph.output, graph.output_dims, proto->add_output());
  return model.SerializeAsString();
}

StatusOr<PolicySpec> ImportOnnx(const std::string& path) {
  SAFERL_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxOnnxBytes));
  SAFERL_ASSIGN_OR_RETURN(const OnnxGraph graph, ParseOnnx(bytes, path));
  return SpecFromOnnx(graph, path);
}

Status ExportOnnx(const PolicySpec& spec, const std::string& path) {
  SAFERL_ASSIGN_OR_RETURN(const OnnxGraph graph, OnnxFromSpec(spec));
  return WriteFileAtomic(path, SerializeOnnx(graph));
}

}  // namespace saferl::policy
