// OnnxGraph -> PolicySpec: walks the one chain of nodes and folds it into normaliser, layers,
// squash and scale.
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <set>

#include "saferl/base/json.h"
#include "saferl/policy/onnx_graph.h"
#include "saferl/policy/spec_builder.h"

namespace saferl::policy {
namespace {

constexpr const char* kSupported =
    "supported: Gemm, MatMul, Add, Sub, Mul, Div, Clip, Tanh, Relu, Sigmoid, Constant in one chain";

using Vector = std::vector<double>;

class Importer {
 public:
  Importer(const OnnxGraph& graph, std::string_view source) : graph_(graph), source_(source) {}

  StatusOr<PolicySpec> Run() {
    SAFERL_RETURN_IF_ERROR(Start());
    for (const OnnxNode& node : graph_.nodes) {
      node_ = &node;
      SAFERL_RETURN_IF_ERROR(node.op == "Constant" ? AddConstant() : Step());
    }
    node_ = nullptr;
    return Finish();
  }

 private:
  struct Dense {
    size_t in, out;
    Vector weight, bias;
    Activation activation;
  };

  Status Bad(std::string_view problem, std::string_view fix) const {
    return absl::InvalidArgumentError(
        fmt::format("{}: {}: {}; {}", source_, JsonEscape(node_ == nullptr ? "graph" : node_->name),
                    JsonEscape(problem), fix));
  }

  // ---- values and constants --------------------------------------------------------------------

  Status Define(const std::string& name) {
    if (name.empty()) return Bad("has a value without a name", "export the model again");
    if (!defined_.insert(name).second) {
      return Bad(fmt::format("makes '{}' a second time", name), "each value has one maker");
    }
    return absl::OkStatus();
  }

  Status Start() {
    for (const OnnxTensor& tensor : graph_.constants) {
      SAFERL_RETURN_IF_ERROR(Define(tensor.name));
      constants_[tensor.name] = &tensor;
    }
    SAFERL_RETURN_IF_ERROR(Define(graph_.input));
    current_ = graph_.input;
    const std::vector<int64_t>& dims = graph_.input_dims;
    if (dims.size() != 2 || dims[1] < 1 || dims[1] > kMaxWidth) {
      return Bad(fmt::format("the input '{}' does not have the shape (batch, 1 to {})",
                             graph_.input, kMaxWidth),
                 "export with a fixed number of features");
    }
    width_ = static_cast<size_t>(dims[1]);
    mean_.assign(width_, 0.0);
    std_.assign(width_, 1.0);
    return absl::OkStatus();
  }

  Status AddConstant() {
    const bool number = node_->floats.contains("value_float");
    if (!node_->inputs.empty() || node_->outputs.size() != 1 || (!number && !node_->tensor) ||
        !node_->ints.empty() || node_->floats.size() > 1) {
      return Bad("is not a float32 constant", "use 'value' or 'value_float'");
    }
    made_.push_back(std::make_unique<OnnxTensor>());
    *made_.back() = number ? OnnxTensor{"", {}, {node_->floats.at("value_float")}} : *node_->tensor;
    SAFERL_RETURN_IF_ERROR(Define(node_->outputs[0]));
    constants_[node_->outputs[0]] = made_.back().get();
    return absl::OkStatus();
  }

  StatusOr<const OnnxTensor*> ConstantAt(size_t input) const {
    const auto found = constants_.find(node_->inputs[input]);
    if (found == constants_.end()) {
      return Bad(
          fmt::format("input {} '{}' is not a constant of the model", input, node_->inputs[input]),
          kSupported);
    }
    for (const float value : found->second->values) {
      if (!std::isfinite(value)) {
        return Bad(fmt::format("constant '{}' holds a number that is not finite", found->first),
                   "train or export the model again");
      }
    }
    return found->second;
  }

  /// A constant as one number per element of the chain: (), (1), (n), (1, n).
  StatusOr<Vector> Broadcast(const OnnxTensor& tensor, size_t n) const {
    const size_t size = tensor.values.size();
    const bool row = tensor.dims.empty() || static_cast<size_t>(tensor.dims.back()) == size;
    if (tensor.dims.size() > 2 || !row || (size != 1 && size != n)) {
      return Bad(fmt::format("constant '{}' has {} numbers in {} dimensions where {} values arrive",
                             tensor.name, size, tensor.dims.size(), n),
                 "its shape must be one number, (n) or (1, n)");
    }
    if (size == 1) return Vector(n, tensor.values[0]);
    return Vector(tensor.values.begin(), tensor.values.end());
  }

  StatusOr<size_t> Size(int64_t dim, std::string_view what) const {
    if (dim < 1 || dim > kMaxWidth) {
      return Bad(fmt::format("has {} {}", dim, what), fmt::format("use 1 to {}", kMaxWidth));
    }
    return static_cast<size_t>(dim);
  }

  // ---- one node --------------------------------------------------------------------------------

  /// The chain's value must come in exactly once; returns where.
  StatusOr<size_t> ChainInput() const {
    size_t found = node_->inputs.size();
    for (size_t i = 0; i < node_->inputs.size(); ++i) {
      const std::string& name = node_->inputs[i];
      if (name == current_) {
        if (found != node_->inputs.size())
          return Bad(fmt::format("takes '{}' twice", name), kSupported);
        found = i;
      } else if (!name.empty() && !constants_.contains(name)) {
        return defined_.contains(name)
                   ? Bad(fmt::format("takes '{}', which is not the last value of the chain", name),
                         "the graph must not branch")
                   : Bad(fmt::format("takes '{}', which no earlier node makes", name),
                         "the graph has a cycle, a loose end, or unsorted nodes: export it again");
      }
    }
    if (found == node_->inputs.size()) {
      return Bad(fmt::format("does not take '{}', the last value of the chain", current_),
                 kSupported);
    }
    return found;
  }

  Status CheckAttributes(const std::set<std::string>& known) const {
    for (const auto& [name, value] : node_->floats) {
      if (!known.contains(name))
        return Bad(fmt::format("has an attribute '{}'", name), "it is not supported here");
    }
    for (const auto& [name, value] : node_->ints) {
      if (!known.contains(name))
        return Bad(fmt::format("has an attribute '{}'", name), "it is not supported here");
    }
    return absl::OkStatus();
  }

  Status Step() {
    static const std::map<std::string, Activation> kActivations = {
        {"Tanh", Activation::kTanh},
        {"Relu", Activation::kRelu},
        {"Sigmoid", Activation::kSigmoid}};
    const std::string& op = node_->op;
    const auto activation = kActivations.find(op);
    const bool elementwise = op == "Add" || op == "Sub" || op == "Mul" || op == "Div";
    if (activation == kActivations.end() && !elementwise && op != "Gemm" && op != "MatMul" &&
        op != "Clip") {
      return Bad(fmt::format("operator '{}' is not supported", op), kSupported);
    }
    SAFERL_ASSIGN_OR_RETURN(const size_t at, ChainInput());
    const size_t n = node_->inputs.size();
    const auto inputs_are = [&](size_t low, size_t high) { return n >= low && n <= high; };
    if (node_->outputs.size() != 1) return Bad("does not have one output", kSupported);
    if (activation != kActivations.end()) {
      if (!inputs_are(1, 1)) return Bad("does not have one input", kSupported);
      SAFERL_RETURN_IF_ERROR(CheckAttributes({}));
      SAFERL_RETURN_IF_ERROR(Activate(activation->second));
    } else if (elementwise) {
      if (!inputs_are(2, 2)) return Bad("does not have two inputs", kSupported);
      SAFERL_RETURN_IF_ERROR(CheckAttributes({}));
      SAFERL_RETURN_IF_ERROR(Elementwise(at));
    } else {
      if (at != 0) return Bad("does not take the chain as its first input", kSupported);
      if (op == "Clip") {
        SAFERL_RETURN_IF_ERROR(Clip());
      } else {
        if (!inputs_are(2, op == "Gemm" ? 3 : 2))
          return Bad(fmt::format("has {} inputs", n), kSupported);
        SAFERL_RETURN_IF_ERROR(Linear(op == "Gemm"));
      }
    }
    SAFERL_RETURN_IF_ERROR(Define(node_->outputs[0]));
    current_ = node_->outputs[0];
    return absl::OkStatus();
  }

  // ---- operators -------------------------------------------------------------------------------

  float FloatAttribute(const std::string& name, float fallback) const {
    const auto found = node_->floats.find(name);
    return found == node_->floats.end() ? fallback : found->second;
  }
  int64_t IntAttribute(const std::string& name, int64_t fallback) const {
    const auto found = node_->ints.find(name);
    return found == node_->ints.end() ? fallback : found->second;
  }

  Status Linear(bool gemm) {
    SAFERL_RETURN_IF_ERROR(
        CheckAttributes(gemm ? std::set<std::string>{"alpha", "beta", "transA", "transB"}
                             : std::set<std::string>{}));
    if (gemm && IntAttribute("transA", 0) != 0)
      return Bad("has transA = 1", "only B may be transposed");
    if (squash_) return Bad("follows two activations in a row", kSupported);
    if (layers_.size() == static_cast<size_t>(kMaxLayers)) {
      return Bad("is one layer too many", fmt::format("at most {} fit", kMaxLayers));
    }
    SAFERL_ASSIGN_OR_RETURN(const OnnxTensor* b, ConstantAt(1));
    if (b->dims.size() != 2)
      return Bad(fmt::format("weight '{}' is not a matrix", node_->inputs[1]), kSupported);
    const bool transposed = gemm && IntAttribute("transB", 0) != 0;
    SAFERL_ASSIGN_OR_RETURN(const size_t in, Size(b->dims[transposed ? 1 : 0], "inputs"));
    SAFERL_ASSIGN_OR_RETURN(const size_t out, Size(b->dims[transposed ? 0 : 1], "outputs"));
    if (in != width_) {
      return Bad(
          fmt::format("weight '{}' takes {} values where {} arrive", node_->inputs[1], in, width_),
          "the shapes must be a chain");
    }
    const double alpha = FloatAttribute("alpha", 1.0F);
    Dense layer{in, out, Vector(in * out), Vector(out, 0.0), Activation::kIdentity};
    for (size_t o = 0; o < out; ++o) {
      for (size_t i = 0; i < in; ++i) {
        layer.weight[o * in + i] = alpha * b->values[transposed ? o * in + i : i * out + o];
      }
    }
    if (node_->inputs.size() == 3 && !node_->inputs[2].empty()) {
      SAFERL_ASSIGN_OR_RETURN(const OnnxTensor* c, ConstantAt(2));
      SAFERL_ASSIGN_OR_RETURN(layer.bias, Broadcast(*c, out));
      for (double& x : layer.bias) x *= FloatAttribute("beta", 1.0F);
    }
    FoldInto(&layer);
    layers_.push_back(std::move(layer));
    width_ = out;
    open_ = true;
    bias_open_ = !gemm;
    return absl::OkStatus();
  }

  Status Activate(Activation activation) {
    if (layers_.empty()) return Bad("comes before the first layer", "start with Gemm or MatMul");
    if (!scale_.empty()) {
      if (!open_) return Bad("follows a scaled activation", "put a layer between them");
      FoldAfter(&layers_.back());
    }
    if (open_) {
      layers_.back().activation = activation;
      open_ = bias_open_ = false;
    } else if (activation == Activation::kTanh && !squash_) {
      squash_ = true;  // right only at the end: Linear() checks
    } else {
      return Bad("is a second activation in a row", kSupported);
    }
    return absl::OkStatus();
  }

  Status Clip() {
    SAFERL_RETURN_IF_ERROR(CheckAttributes({"min", "max"}));
    double low = -std::numeric_limits<double>::infinity(), high = -low;
    if (graph_.opset < 11) {
      low = FloatAttribute("min", std::numeric_limits<float>::lowest());
      high = FloatAttribute("max", std::numeric_limits<float>::max());
    } else {
      if (!node_->floats.empty() || node_->inputs.size() > 3)
        return Bad("has wrong inputs", kSupported);
      for (size_t i = 1; i < node_->inputs.size(); ++i) {
        if (node_->inputs[i].empty()) continue;
        SAFERL_ASSIGN_OR_RETURN(const OnnxTensor* bound, ConstantAt(i));
        if (bound->values.size() != 1) return Bad("has a bound that is not one number", kSupported);
        (i == 1 ? low : high) = bound->values[0];
      }
    }
    if (!layers_.empty() || clip_ > 0)
      return Bad("is not directly before the first layer", kSupported);
    if (!(high > 0) || low != -high || !std::isfinite(high)) {
      return Bad(fmt::format("clips to [{}, {}]", low, high), "the bounds must be -c and c");
    }
    clip_ = high;
    return absl::OkStatus();
  }

  Status Elementwise(size_t chain_at) {
    const std::string& op = node_->op;
    if (chain_at != 0 && (op == "Sub" || op == "Div")) {
      return Bad("has the constant first",
                 "only value - constant and value / constant are supported");
    }
    SAFERL_ASSIGN_OR_RETURN(const OnnxTensor* constant, ConstantAt(1 - chain_at));
    SAFERL_ASSIGN_OR_RETURN(Vector c, Broadcast(*constant, width_));
    const bool shifts = op == "Add" || op == "Sub";
    for (double& x : c) {
      if (op == "Sub") x = -x;
      if (op == "Div" && x == 0) return Bad("divides by zero", "train or export the model again");
    }
    if (layers_.empty() && clip_ == 0) return Normalise(op, c);
    if (bias_open_ && shifts) {  // MatMul then Add: the bias, exactly
      for (size_t i = 0; i < width_; ++i) layers_.back().bias[i] += c[i];
      bias_open_ = false;
      return absl::OkStatus();
    }
    bias_open_ = false;
    if (scale_.empty()) {
      scale_.assign(width_, 1.0);
      shift_.assign(width_, 0.0);
    }
    for (size_t i = 0; i < width_; ++i) {
      if (shifts) {
        shift_[i] += c[i];
      } else {
        const double factor = op == "Div" ? 1.0 / c[i] : c[i];
        scale_[i] *= factor;
        shift_[i] *= factor;
      }
    }
    return absl::OkStatus();
  }

  /// Keeps the normaliser as (o - mean) / std while constants are applied to it; Sub then Div stays
  /// exact.
  Status Normalise(const std::string& op, const Vector& c) {
    for (size_t i = 0; i < width_; ++i) {
      if (op == "Add" || op == "Sub") {
        mean_[i] -= c[i] * std_[i];
      } else if (!(c[i] > 0)) {
        return Bad("scales an input by a number that is not above 0",
                   "fold it into the first layer's weights");
      } else {
        std_[i] = op == "Div" ? std_[i] * c[i] : std_[i] / c[i];
      }
    }
    return absl::OkStatus();
  }

  // ---- folding ---------------------------------------------------------------------------------

  /// W (s x + t) + b = (W s) x + (b + W t)
  void FoldInto(Dense* layer) {
    if (scale_.empty()) return;
    for (size_t o = 0; o < layer->out; ++o) {
      for (size_t i = 0; i < layer->in; ++i) {
        double& w = layer->weight[o * layer->in + i];
        layer->bias[o] += w * shift_[i];
        w *= scale_[i];
      }
    }
    scale_.clear();
    shift_.clear();
  }
  /// s (W x + b) + t
  void FoldAfter(Dense* layer) {
    for (size_t o = 0; o < layer->out; ++o) {
      for (size_t i = 0; i < layer->in; ++i) layer->weight[o * layer->in + i] *= scale_[o];
      layer->bias[o] = layer->bias[o] * scale_[o] + shift_[o];
    }
    scale_.clear();
    shift_.clear();
  }

  static std::vector<float> ToFloat(const Vector& v) { return {v.begin(), v.end()}; }

  StatusOr<PolicySpec> Finish() {
    if (layers_.empty()) return Bad("has no layer", kSupported);
    if (current_ != graph_.output) {
      return Bad(fmt::format("ends with '{}' where its output is '{}'", current_, graph_.output),
                 "the chain must end in the output");
    }
    constexpr float kMax = std::numeric_limits<float>::max();
    PolicySpec spec;
    spec.name = graph_.name.empty() ? "imported" : graph_.name.substr(0, 64);
    spec.observation = {{"observation", "1", static_cast<int>(mean_.size()), -kMax, kMax}};
    spec.action = {{"action", "1", static_cast<int>(width_), -kMax, kMax}};
    spec.obs_mean = ToFloat(mean_);
    spec.obs_std = ToFloat(std_);
    spec.obs_clip = clip_ > 0 ? static_cast<float>(clip_) : kMax;
    if (!squash_ && layers_.back().activation == Activation::kTanh) {
      layers_.back().activation = Activation::kIdentity;
      squash_ = true;
    }
    spec.squash = squash_;
    for (const Dense& layer : layers_) {
      spec.layers.push_back({static_cast<int>(layer.in), static_cast<int>(layer.out),
                             layer.activation, ToFloat(layer.weight), ToFloat(layer.bias)});
    }
    spec.log_std.assign(width_, -0.5F);
    spec.action_scale = scale_.empty() ? std::vector<float>(width_, 1.0F) : ToFloat(scale_);
    spec.action_offset = scale_.empty() ? std::vector<float>(width_, 0.0F) : ToFloat(shift_);
    JsonWriter record;
    record.BeginObject()
        .Field("algorithm", "imported from ONNX")
        .Field("producer", graph_.producer.substr(0, 256));
    spec.training_record = record.EndObject().Take();
    if (Status valid = spec.Validate(); !valid.ok())
      return Bad(std::string(valid.message()), "see above");
    MakeGoldenVectors(&spec, 16, 1);
    if (Status valid = spec.Validate(); !valid.ok()) {
      return Bad(std::string(valid.message()), "the network overflows float32 on normal inputs");
    }
    return spec;
  }

  const OnnxGraph& graph_;
  std::string_view source_;
  const OnnxNode* node_ = nullptr;
  std::map<std::string, const OnnxTensor*> constants_;
  std::vector<std::unique_ptr<OnnxTensor>> made_;
  std::set<std::string> defined_;
  std::string current_;
  size_t width_ = 0;
  Vector mean_, std_;
  double clip_ = 0;  ///< 0: none yet
  std::vector<Dense> layers_;
  bool open_ = false;       ///< the last layer has no activation yet
  bool bias_open_ = false;  ///< the last node was a MatMul: an Add is its bias
  bool squash_ = false;
  Vector scale_, shift_;  ///< pending elementwise scale and shift; empty: none
};

}  // namespace

StatusOr<PolicySpec> SpecFromOnnx(const OnnxGraph& graph, std::string_view source) {
  return Importer(graph, source).Run();
}

}  // namespace saferl::policy
