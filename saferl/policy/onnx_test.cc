#include "saferl/policy/onnx_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "saferl/policy/spec_builder.h"

namespace saferl::policy {
namespace {

using ::testing::HasSubstr;

PolicySpec Sample() {
  const std::vector<int> hidden = {6, 5};
  PolicySpec spec = MakeGaussianMlp(4, 2, hidden, 3);
  spec.obs_mean = {1, -2, 3, 0.5F};
  spec.obs_std = {0.5F, 2, 1, 3};
  spec.action_scale = {2, 0.5F};
  spec.action_offset = {0.25F, -1};
  spec.layers[1].activation = Activation::kRelu;
  return spec;
}

OnnxGraph Graph() { return *OnnxFromSpec(Sample()); }

TEST(Onnx, RoundTripKeepsEveryNumber) {
  for (const bool squash : {true, false}) {
    PolicySpec spec = Sample();
    spec.squash = squash;
    const std::string bytes = SerializeOnnx(*OnnxFromSpec(spec));
    const auto graph = ParseOnnx(bytes, "m.onnx");
    ASSERT_TRUE(graph.ok()) << graph.status();
    const auto back = SpecFromOnnx(*graph, "m.onnx");
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->obs_mean, spec.obs_mean);
    EXPECT_EQ(back->obs_std, spec.obs_std);
    EXPECT_EQ(back->obs_clip, spec.obs_clip);
    EXPECT_EQ(back->squash, squash);
    EXPECT_EQ(back->action_scale, spec.action_scale);
    EXPECT_EQ(back->action_offset, spec.action_offset);
    ASSERT_EQ(back->layers.size(), spec.layers.size());
    for (size_t l = 0; l < spec.layers.size(); ++l) {
      EXPECT_EQ(back->layers[l].weight, spec.layers[l].weight);
      EXPECT_EQ(back->layers[l].bias, spec.layers[l].bias);
      EXPECT_EQ(back->layers[l].activation, spec.layers[l].activation);
    }
    EXPECT_EQ(back->golden_observations.size(), 16U);
    EXPECT_TRUE(Policy::Create(*back).ok());
  }
}

TEST(Onnx, EveryCutIsRefusedOrStillAWholeModel) {
  const std::string bytes = SerializeOnnx(Graph());
  size_t refused = 0;
  for (size_t n = 0; n < bytes.size(); ++n) {
    const auto graph = ParseOnnx(std::string_view(bytes).substr(0, n), "m.onnx");
    if (!graph.ok() || !SpecFromOnnx(*graph, "m.onnx").ok()) ++refused;
  }
  EXPECT_EQ(refused, bytes.size());
}

struct Damage {
  const char* message;
  std::function<void(OnnxGraph*)> apply;
};

OnnxTensor* Constant(OnnxGraph* graph, const std::string& name) {
  for (OnnxTensor& tensor : graph->constants) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}
OnnxNode* NodeOf(OnnxGraph* graph, const std::string& op, int skip = 0) {
  for (OnnxNode& node : graph->nodes) {
    if (node.op == op && skip-- == 0) return &node;
  }
  return nullptr;
}

class BadOnnx : public ::testing::TestWithParam<Damage> {};

TEST_P(BadOnnx, IsRefusedWithNodeAndReason) {
  OnnxGraph graph = Graph();
  GetParam().apply(&graph);
  const auto parsed = ParseOnnx(SerializeOnnx(graph), "m.onnx");
  const Status status = parsed.ok() ? SpecFromOnnx(*parsed, "m.onnx").status() : parsed.status();
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
  EXPECT_THAT(std::string(status.message()), HasSubstr("m.onnx: "));
}

INSTANTIATE_TEST_SUITE_P(
    Onnx, BadOnnx,
    ::testing::Values(
        Damage{"operator 'Softmax' is not supported; supported: Gemm",
               [](OnnxGraph* g) { NodeOf(g, "Relu")->op = "Softmax"; }},
        Damage{"node 4 'x\\u001b[2J' (Softmax)",
               [](OnnxGraph* g) {
                 NodeOf(g, "Tanh")->name = "x\x1b[2J";
                 NodeOf(g, "Tanh")->op = "Softmax";
               }},
        Damage{"node 3 'layer0' (Gemm): weight 'layer0_weight' takes",
               [](OnnxGraph* g) { Constant(g, "layer0_weight")->dims = {8, 3}; }},
        Damage{"is not a matrix", [](OnnxGraph* g) { Constant(g, "layer0_weight")->dims = {24}; }},
        Damage{"has a dimension",
               [](OnnxGraph* g) { Constant(g, "layer0_weight")->dims = {1 << 20, 1 << 20}; }},
        Damage{"has a dimension",
               [](OnnxGraph* g) { Constant(g, "layer0_weight")->dims = {-6, -4}; }},
        Damage{"where its shape needs",
               [](OnnxGraph* g) { Constant(g, "layer0_weight")->values.pop_back(); }},
        Damage{"constant 'layer0_bias' holds a number that is not finite",
               [](OnnxGraph* g) {
                 Constant(g, "layer0_bias")->values[2] = std::numeric_limits<float>::quiet_NaN();
               }},
        Damage{"its shape must be",
               [](OnnxGraph* g) { Constant(g, "layer0_bias")->dims = {2, 3}; }},
        Damage{"which no earlier node makes",  // a cycle
               [](OnnxGraph* g) { NodeOf(g, "Gemm")->inputs[0] = "layer1_out"; }},
        Damage{"which no earlier node makes",  // a loose end
               [](OnnxGraph* g) { NodeOf(g, "Gemm", 1)->inputs[1] = "nowhere"; }},
        Damage{"is not the last value of the chain",  // a branch
               [](OnnxGraph* g) { NodeOf(g, "Gemm", 1)->inputs[0] = "layer0_out"; }},
        Damage{"takes 'squash_out' twice",
               [](OnnxGraph* g) { NodeOf(g, "Mul")->inputs[1] = "squash_out"; }},
        Damage{"makes 'layer0_out' a second time",
               [](OnnxGraph* g) { NodeOf(g, "Gemm", 1)->outputs[0] = "layer0_out"; }},
        Damage{"has transA = 1", [](OnnxGraph* g) { NodeOf(g, "Gemm")->ints["transA"] = 1; }},
        Damage{"has an attribute 'broadcast'",
               [](OnnxGraph* g) { NodeOf(g, "Add")->ints["broadcast"] = 1; }},
        Damage{"opset_import: is 6", [](OnnxGraph* g) { g->opset = 6; }},
        Damage{"the chain must end in the output", [](OnnxGraph* g) { g->nodes.pop_back(); }},
        Damage{"does not have the shape", [](OnnxGraph* g) { g->input_dims = {-1, -1}; }},
        Damage{"does not have the shape", [](OnnxGraph* g) { g->input_dims = {-1, 100000}; }},
        Damage{"the bounds must be -c and c",
               [](OnnxGraph* g) { Constant(g, "clip_low")->values[0] = -3; }},
        Damage{"scales an input by a number that is not above 0",
               [](OnnxGraph* g) { Constant(g, "normalise_std_value")->values[1] = -2; }},
        Damage{"divides by zero",
               [](OnnxGraph* g) { Constant(g, "normalise_std_value")->values[1] = 0; }},
        Damage{"is a second activation in a row", [](OnnxGraph* g) {
                 NodeOf(g, "Gemm", 1)->op = "Sigmoid";
                 NodeOf(g, "Sigmoid")->inputs.resize(1);
                 NodeOf(g, "Sigmoid")->ints.clear();
               }}));

TEST(Onnx, NonsenseAndExternalDataAreRefusedWithoutFollowingPaths) {
  EXPECT_FALSE(ParseOnnx("this is not a model at all", "m.onnx").ok());
  EXPECT_FALSE(ParseOnnx("", "m.onnx").ok());
  EXPECT_FALSE(ParseOnnx(std::string(kMaxOnnxBytes + 1, 'x'), "m.onnx").ok());
  // The name of a tensor (field 8, one byte) becomes data_location = EXTERNAL (field 14 = 1, in two
  // bytes).
  OnnxGraph one;
  one.input = "x";
  one.output = "y";
  one.input_dims = one.output_dims = {-1, 1};
  one.constants = {{"w", {1}, {1.0F}}};
  std::string bytes = SerializeOnnx(one);
  const size_t tag = bytes.find(std::string("\x42\x01w", 3));
  ASSERT_NE(tag, std::string::npos);
  bytes.replace(tag, 3, std::string("\x70\x81\x00", 3));
  const auto graph = ParseOnnx(bytes, "m.onnx");
  ASSERT_FALSE(graph.ok());
  EXPECT_THAT(std::string(graph.status().message()),
              HasSubstr("keeps its numbers in another file"));
}

}  // namespace
}  // namespace saferl::policy
