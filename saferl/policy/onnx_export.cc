// PolicySpec -> OnnxGraph: Sub, Div, Clip, then Gemm and activation per layer, then Tanh, Mul, Add.
// A step that would change nothing (mean 0, deviation 1, clip at the largest float, scale 1, offset
// 0) is left out.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "saferl/policy/onnx_graph.h"

namespace saferl::policy {
namespace {

class Chain {
 public:
  explicit Chain(OnnxGraph* graph) : graph_(graph), current_(graph->input) {}

  std::string Constant(std::string name, std::vector<int64_t> dims, std::vector<float> values) {
    graph_->constants.push_back({name, std::move(dims), std::move(values)});
    return name;
  }
  OnnxNode& Add(const std::string& op, const std::string& name,
                std::vector<std::string> constants = {}) {
    OnnxNode node;
    node.op = op;
    node.name = name;
    node.inputs = {current_};
    node.inputs.insert(node.inputs.end(), constants.begin(), constants.end());
    current_ = name + "_out";
    node.outputs = {current_};
    graph_->nodes.push_back(std::move(node));
    return graph_->nodes.back();
  }
  /// An elementwise step with one constant per element, unless all of them are `neutral`.
  void Elementwise(const std::string& op, const std::string& name, const std::vector<float>& values,
                   float neutral) {
    if (std::all_of(values.begin(), values.end(), [&](float v) { return v == neutral; })) return;
    Add(op, name, {Constant(name + "_value", {static_cast<int64_t>(values.size())}, values)});
  }

 private:
  OnnxGraph* graph_;
  std::string current_;
};

const char* OpName(Activation activation) {
  switch (activation) {
    case Activation::kTanh:
      return "Tanh";
    case Activation::kRelu:
      return "Relu";
    case Activation::kSigmoid:
      return "Sigmoid";
    case Activation::kIdentity:
      return nullptr;
  }
  return nullptr;
}

}  // namespace

StatusOr<OnnxGraph> OnnxFromSpec(const PolicySpec& spec) {
  SAFERL_RETURN_IF_ERROR(spec.Validate());
  if (spec.int8()) {
    return absl::InvalidArgumentError(
        fmt::format("policy '{}': has int8 layers, whose rounding this export does not carry; "
                    "export the package that it was quantised from",
                    spec.name));
  }
  OnnxGraph graph;
  graph.name = spec.name;
  graph.producer = "saferl";
  graph.input = "observation";
  graph.input_dims = {-1, spec.n_obs()};
  graph.output = "action";
  graph.output_dims = {-1, spec.n_act()};

  Chain chain(&graph);
  chain.Elementwise("Sub", "normalise_mean", spec.obs_mean, 0.0F);
  chain.Elementwise("Div", "normalise_std", spec.obs_std, 1.0F);
  if (spec.obs_clip != std::numeric_limits<float>::max()) {
    chain.Add("Clip", "normalise_clip",
              {chain.Constant("clip_low", {}, {-spec.obs_clip}),
               chain.Constant("clip_high", {}, {spec.obs_clip})});
  }
  for (size_t l = 0; l < spec.layers.size(); ++l) {
    const Layer& layer = spec.layers[l];
    const std::string name = fmt::format("layer{}", l);
    chain
        .Add("Gemm", name,
             {chain.Constant(name + "_weight", {layer.out, layer.in}, layer.weight),
              chain.Constant(name + "_bias", {layer.out}, layer.bias)})
        .ints["transB"] = 1;
    if (const char* op = OpName(layer.activation)) chain.Add(op, name + "_activation");
  }
  if (spec.squash) chain.Add("Tanh", "squash");
  chain.Elementwise("Mul", "action_scale", spec.action_scale, 1.0F);
  chain.Elementwise("Add", "action_offset", spec.action_offset, 0.0F);
  graph.nodes.back().outputs = {graph.output};
  return graph;
}

}  // namespace saferl::policy
