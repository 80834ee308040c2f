#include "saferl/policy/quantise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "saferl/base/hash.h"
#include "saferl/base/random.h"
#include "saferl/policy/kernel.h"
#include "saferl/policy/onnx_graph.h"
#include "saferl/policy/package.h"
#include "saferl/policy/spec_builder.h"
#include "saferl/policy/testing/fill_stack.h"

namespace saferl::policy {
namespace {

using ::testing::HasSubstr;

/// Three to five layers of any width and activation; the last as strong as a trained one.
PolicySpec Float(uint64_t seed) {
  Random random(seed);
  std::vector<int> hidden(static_cast<size_t>(2 + random.Index(3)));
  for (int& width : hidden) width = 1 + random.Index(130);
  PolicySpec spec = MakeGaussianMlp(1 + random.Index(60), 1 + random.Index(12), hidden, seed);
  for (Layer& layer : spec.layers) {
    layer.activation = static_cast<Activation>(random.Index(4));
    for (float& b : layer.bias) b = static_cast<float>(0.3 * random.Normal());
  }
  for (float& w : spec.layers.back().weight) w *= 30.0F;
  return spec;
}

std::vector<float> Observation(const PolicySpec& spec, Random* random) {
  std::vector<float> observation(static_cast<size_t>(spec.n_obs()));
  for (float& x : observation) x = static_cast<float>(2.0 * random->Normal());
  return observation;
}

class EachInt8Kernel : public ::testing::TestWithParam<Kernel> {};

TEST_P(EachInt8Kernel, GivesTheReferencesActionWhereverRoundingIsNotAToss) {
  if (!CanRun(GetParam())) return;
  int compared = 0, all = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const auto spec = Quantise(Float(seed), 50, 4, seed);
    ASSERT_TRUE(spec.ok()) << spec.status();
    const auto policy = PolicyAccess::CreateWithKernel(*spec, GetParam());
    ASSERT_TRUE(policy.ok()) << "seed " << seed << ": " << policy.status();
    Random random(seed, 7);
    std::vector<float> action(static_cast<size_t>(spec->n_act()));
    for (int i = 0; i < 10; ++i, ++all) {
      const std::vector<float> observation = Observation(*spec, &random);
      double margin = 0;
      const std::vector<double> want = ReferenceForward(*spec, observation, &margin);
      ASSERT_TRUE((*policy)->Forward(observation, action));
      if (margin < 2e-4) continue;
      ++compared;
      for (size_t k = 0; k < action.size(); ++k)
        ASSERT_NEAR(action[k], want[k], 2e-5 * std::max(1.0, std::abs(want[k]))) << "seed " << seed;
    }
  }
  EXPECT_GT(compared, all * 8 / 10);
}

TEST_P(EachInt8Kernel, GivesTheSameBitsWhateverTheStackHeld) {
  if (!CanRun(GetParam())) return;
  const PolicySpec spec = *Quantise(Float(5), 50, 1, 1);
  const auto policy = *PolicyAccess::CreateWithKernel(spec, GetParam());
  Random random(5);
  const std::vector<float> observation = Observation(spec, &random);
  std::vector<float> first(static_cast<size_t>(spec.n_act())), again(first.size());
  ASSERT_TRUE(policy->Forward(observation, first));
  FillStack(0xff);
  ASSERT_TRUE(policy->Forward(observation, again));
  EXPECT_EQ(0, std::memcmp(first.data(), again.data(), first.size() * sizeof(float)));
}

TEST_P(EachInt8Kernel, RunsTheLargestWholeSumsWithoutSaturation) {
  if (!CanRun(GetParam())) return;
  // Every product is 127 x 127 and every input at its limit: sums of int16 that saturate would
  // show.
  const std::vector<int> hidden = {kMaxWidth, kMaxWidth};
  PolicySpec spec = MakeGaussianMlp(4, 1, hidden, 1);
  spec.squash = false;
  for (Layer& layer : spec.layers) layer.activation = Activation::kRelu;
  for (float& w : spec.layers[0].weight) w = 1.0F;
  for (float& w : spec.layers[1].weight) w = 0.5F;
  for (float& w : spec.layers[2].weight) w = 1.0F / kMaxWidth;
  spec = *Quantise(spec, 100, 1, 1);
  const float limit = spec.layers[1].input_limit;
  const auto policy = *PolicyAccess::CreateWithKernel(spec, GetParam());
  const std::vector<float> observation(4, 10.0F);  // far beyond the limit: held there
  std::vector<float> action(1);
  ASSERT_TRUE(policy->Forward(observation, action));
  EXPECT_NEAR(action[0], kMaxWidth * limit * 0.5, 1e-4 * kMaxWidth * limit);
}

TEST_P(EachInt8Kernel, AnInputOfAnInt8LayerThatIsNotFiniteIsRefusedAndNotRoundedAway) {
  if (!CanRun(GetParam())) return;
  const std::vector<int> hidden = {8, 8};
  PolicySpec spec = MakeGaussianMlp(8, 2, hidden, 1);
  spec.layers[0].activation = Activation::kRelu;
  spec = *Quantise(spec, 50, 0, 1);
  for (float& w : spec.layers[0].weight) w = 3e38F;
  const auto policy = PolicyAccess::CreateWithKernel(spec, GetParam());
  ASSERT_TRUE(policy.ok()) << policy.status();
  const std::vector<float> observation(8, 5.0F);
  std::vector<float> action(2, 42.0F);
  EXPECT_FALSE((*policy)->Forward(observation, action));
  EXPECT_EQ(action[0], 42.0F);
}

INSTANTIATE_TEST_SUITE_P(Policy, EachInt8Kernel,
                         ::testing::Values(Kernel::kPortable, Kernel::kAvx2),
                         [](const auto& test) { return Name(test.param); });

TEST(Quantise, LosesLittleOfATrainedSizeAndTheMeasureSeesABrokenScale) {
  const std::vector<int> hidden = {64, 64};
  PolicySpec spec = MakeGaussianMlp(48, 8, hidden, 1);
  for (float& w : spec.layers.back().weight) w *= 50.0F;
  const auto original = *Policy::Create(spec);
  PolicySpec made = *Quantise(spec, 100, 16, 1);
  EXPECT_FALSE(made.layers[0].int8());
  EXPECT_TRUE(made.layers[1].int8());
  EXPECT_FALSE(made.layers[2].int8());
  const auto error = QuantisationError(*original, **Policy::Create(made), 20'000, 1);
  ASSERT_TRUE(error.ok()) << error.status();
  EXPECT_EQ(error->samples, 20'000);
  EXPECT_LT(error->worst, 0.05);
  EXPECT_LE(error->p999, error->worst);
  EXPECT_GT(error->mean, 0);
  // The mutant: scales twice as large.
  made.golden_observations.clear();
  made.golden_actions.clear();
  for (float& scale : made.layers[1].weight_scale) scale *= 2;
  for (float& w : made.layers[1].weight) w *= 2;
  EXPECT_GT(QuantisationError(*original, **Policy::Create(made), 20'000, 1)->worst, 0.05);
}

TEST(Quantise, RefusesWhatItCannotDo) {
  const std::vector<int> one = {16};
  EXPECT_THAT(std::string(Quantise(MakeGaussianMlp(4, 2, one, 1), 10, 1, 1).status().message()),
              HasSubstr("has 2 layers"));
  const PolicySpec made = *Quantise(Float(3), 10, 1, 1);
  EXPECT_THAT(std::string(Quantise(made, 10, 1, 1).status().message()), HasSubstr("int8 already"));
  EXPECT_THAT(std::string(OnnxFromSpec(made).status().message()), HasSubstr("int8 layers"));
}

TEST(Int8Package, KeepsEveryByteIsSmallerAndNamesItsOrigin) {
  const std::vector<int> hidden = {128, 128};
  PolicySpec spec = MakeGaussianMlp(16, 2, hidden, 1);
  spec.training_record = R"({"seed":3})";
  MakeGoldenVectors(&spec, 4, 1);
  const std::string before = *EncodePackage(spec);
  const PolicySpec made = *Quantise(spec, 10, 4, 1);
  const std::string bytes = *EncodePackage(made);
  EXPECT_LT(bytes.size() * 2, before.size());
  EXPECT_EQ(bytes[8], 2);
  EXPECT_EQ(before[8], 1);
  const auto read = DecodePackage(bytes, "p");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*EncodePackage(*read), bytes);
  EXPECT_EQ(read->layers[1].weight, made.layers[1].weight);
  EXPECT_EQ(read->layers[1].weight_scale, made.layers[1].weight_scale);
  EXPECT_EQ(made.training_record, R"({"quantised_from":")" + Sha256Hex(before) + R"(","seed":3})");
  EXPECT_TRUE(Policy::Create(*read).ok());
}

TEST(Int8Package, EveryFlippedBitBehindAGoodHashIsRefusedOrAValidPolicy) {
  const std::vector<int> hidden = {4, 3};
  const std::string bytes = *EncodePackage(*Quantise(MakeGaussianMlp(3, 2, hidden, 1), 10, 1, 1));
  int refused = 0;
  for (size_t i = 0; i + 32 < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      const Sha256Digest digest =
          Sha256Of(std::string_view(damaged).substr(0, damaged.size() - 32));
      std::memcpy(damaged.data() + damaged.size() - 32, digest.data(), 32);
      const auto spec = DecodePackage(damaged, "p");
      refused += spec.ok() ? 0 : 1;
      if (spec.ok()) {
        ASSERT_EQ(*EncodePackage(*spec), damaged) << "byte " << i << " bit " << bit;
      }
    }
  }
  EXPECT_GT(refused, 500);
}

TEST(Int8Package, AVersionThatItsLayersDoNotHaveIsRefused) {
  const std::vector<int> hidden = {4, 3};
  PolicySpec spec = MakeGaussianMlp(3, 2, hidden, 1);
  MakeGoldenVectors(&spec, 1, 1);
  PolicySpec made = *Quantise(spec, 10, 1, 1);
  made.layers[0].input_limit = 1;
  EXPECT_THAT(std::string(made.Validate().message()), HasSubstr("layers[0].input_limit"));
  made.layers[0].input_limit = 0;
  made.layers[1].weight[2] *= 1.001F;
  EXPECT_THAT(std::string(made.Validate().message()), HasSubstr("layers[1].weight[2]"));
  made = *Quantise(spec, 10, 1, 1);
  made.layers[1].weight_scale[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(std::string(made.Validate().message()), HasSubstr("layers[1].weight_scale[1]"));
  made = *Quantise(spec, 10, 1, 1);
  made.layers[2].weight_scale.assign(2, 1.0F);
  EXPECT_THAT(std::string(made.Validate().message()), HasSubstr("layers[2]: is int8"));
}

}  // namespace
}  // namespace saferl::policy
