#include "saferl/policy/activation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "saferl/policy/kernel.h"
#include "saferl/policy/spec_builder.h"

namespace saferl::policy {
namespace {

/// Every float32 in [0, 16] takes 1.1e9 calls; each prime-th one meets all exponents and mantissa
/// patterns.
constexpr uint32_t kStride = 1009;

TEST(Activation, TanhIsWithin3e7OfTheTruthAndNeverAboveOne) {
  double worst = 0;
  for (uint32_t bits = 0; bits < std::bit_cast<uint32_t>(16.0F); bits += kStride) {
    const auto x = std::bit_cast<float>(bits);
    const float y = Tanh(x);
    worst = std::max(worst, std::abs(y - std::tanh(static_cast<double>(x))));
    ASSERT_LE(y, 1.0F) << x;
    ASSERT_EQ(std::bit_cast<uint32_t>(Tanh(-x)), std::bit_cast<uint32_t>(-y)) << x;
  }
  EXPECT_LE(worst, 3e-7);
  EXPECT_GT(worst, 1e-9);  // a comparison that compares nothing would give 0
  RecordProperty("worst_error", std::to_string(worst * 1e9) + "e-9");
}

TEST(Activation, TanhIsMonotoneToTwoUlpsAndExactAtTheEnds) {
  float before = 0;
  for (float x = 7.0F; x < 12.0F; x = std::nextafter(x, 20.0F)) {
    const float y = Tanh(x);
    ASSERT_GE(y, before - 1.2e-7F) << x;  // two units in the last place below 1
    before = std::max(before, y);
    if (x >= 10.0F) {
      ASSERT_EQ(y, 1.0F) << x;
    }
  }
  EXPECT_EQ(Tanh(0.0F), 0.0F);
  EXPECT_EQ(Tanh(std::numeric_limits<float>::infinity()), 1.0F);
  EXPECT_EQ(Tanh(-std::numeric_limits<float>::max()), -1.0F);
  EXPECT_TRUE(std::isnan(Tanh(std::numeric_limits<float>::quiet_NaN())));
}

TEST(Activation, SigmoidAndReluFollowTheirDefinitions) {
  for (float x = -30; x < 30; x += 0.0137F) {
    EXPECT_NEAR(Sigmoid(x), 1.0 / (1.0 + std::exp(-static_cast<double>(x))), 3e-7) << x;
    EXPECT_EQ(Relu(x), x < 0 ? 0.0F : x);
  }
  EXPECT_TRUE(std::isnan(Relu(std::numeric_limits<float>::quiet_NaN())));
}

/// A one-to-one network of eight inputs: its output is the activation itself, as the kernel
/// computes it.
PolicySpec Diagonal(Activation activation) {
  PolicySpec spec = MakeGaussianMlp(8, 8, {}, 1);
  spec.squash = false;
  spec.obs_clip = 1e30F;
  spec.layers[0].activation = activation;
  for (size_t i = 0; i < 64; ++i) spec.layers[0].weight[i] = i % 9 == 0 ? 1.0F : 0.0F;
  return spec;
}

class KernelActivation : public ::testing::TestWithParam<Kernel> {};

TEST_P(KernelActivation, TanhIsWithin3e7OfTheTruthOddAndNeverAboveOne) {
  if (!CanRun(GetParam())) {
    EXPECT_FALSE(PolicyAccess::CreateWithKernel(Diagonal(Activation::kTanh), GetParam()).ok());
    return;
  }
  const auto policy = *PolicyAccess::CreateWithKernel(Diagonal(Activation::kTanh), GetParam());
  std::vector<float> x(8), minus(8), y(8), odd(8);
  double worst = 0;
  for (uint32_t bits = 0; bits < std::bit_cast<uint32_t>(16.0F); bits += kStride) {
    for (uint32_t i = 0; i < 8; ++i) {
      x[i] = std::bit_cast<float>(bits + i * (kStride / 8));
      minus[i] = -x[i];
    }
    ASSERT_TRUE(policy->Forward(x, y));
    ASSERT_TRUE(policy->Forward(minus, odd));
    for (size_t i = 0; i < 8; ++i) {
      worst = std::max(worst, std::abs(y[i] - std::tanh(static_cast<double>(x[i]))));
      ASSERT_LE(y[i], 1.0F);
      ASSERT_EQ(y[i], -odd[i]) << x[i];
    }
  }
  EXPECT_LE(worst, 3e-7);
  EXPECT_GT(worst, 1e-9);
}

INSTANTIATE_TEST_SUITE_P(EachKernel, KernelActivation,
                         ::testing::Values(Kernel::kPortable, Kernel::kAvx2),
                         [](const auto& test) { return Name(test.param); });

}  // namespace
}  // namespace saferl::policy
