#include "saferl/policy/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "saferl/policy/kernel.h"
#include "saferl/policy/quantise.h"
#include "saferl/policy/spec_builder.h"

namespace saferl::policy {
namespace {

constexpr uint16_t kInfinity = 0x7c00;

TEST(Half, EveryFiniteValueGoesThereAndBack) {
  for (uint32_t bits = 0; bits < kInfinity; ++bits) {
    for (const uint32_t sign : {0U, 0x8000U}) {
      const auto half = static_cast<uint16_t>(bits | sign);
      const float value = HalfValue(half);
      // IEEE 754: subnormal m 2^-24, else (1024 + m) 2^(e - 25).
      const int e = static_cast<int>(bits >> 10), m = static_cast<int>(bits & 0x3ff);
      const double want = e == 0 ? std::ldexp(m, -24) : std::ldexp(1024 + m, e - 25);
      ASSERT_EQ(std::abs(value), want) << bits;
      ASSERT_EQ(std::signbit(value), sign != 0);
      ASSERT_EQ(HalfBits(value), half);
      ASSERT_TRUE(IsHalf(value));
      ASSERT_EQ(NearestHalf(value), value);
    }
  }
}

TEST(Half, RoundsToNearestWithTiesToEven) {
  for (uint32_t bits = 0; bits + 1 < kInfinity; ++bits) {
    const auto low = static_cast<uint16_t>(bits), high = static_cast<uint16_t>(bits + 1);
    const float middle = (HalfValue(low) + HalfValue(high)) / 2;  // exact
    ASSERT_EQ(HalfBits(middle), bits % 2 == 0 ? low : high) << bits;
    ASSERT_EQ(HalfBits(std::nextafter(middle, 0.0F)), low) << bits;
    ASSERT_EQ(HalfBits(std::nextafter(middle, 1e9F)), high) << bits;
    ASSERT_EQ(HalfBits(-middle), HalfBits(middle) | 0x8000U);
    ASSERT_FALSE(IsHalf(middle));
  }
}

TEST(Half, LeavesAloneWhatIsBeyondItsRange) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float x : {65505.0F, -65505.0F, 1e30F, infinity, -infinity}) {
    EXPECT_EQ(NearestHalf(x), x);
    EXPECT_FALSE(IsHalf(x));
  }
  EXPECT_TRUE(std::isnan(NearestHalf(std::numeric_limits<float>::quiet_NaN())));
  EXPECT_FALSE(IsHalf(std::numeric_limits<float>::quiet_NaN()));
  EXPECT_TRUE(IsHalf(kHalfMost));
}

/// As a trained one: the last layer is not a start's.
PolicySpec Trained(const std::vector<int>& hidden) {
  PolicySpec spec = MakeGaussianMlp(48, 8, hidden, 1);
  for (float& w : spec.layers.back().weight) w *= 50.0F;
  return spec;
}

TEST(RoundWeights, MakesLayersThatAvx2PacksInHalfTheMemoryAndLosesLittle) {
  if (!CanRun(Kernel::kAvx2)) return;
  const PolicySpec spec = Trained({64, 64});
  PolicySpec rounded = spec;
  RoundWeights(&rounded);
  const PackedPointer packed = PackNetwork(rounded, Kernel::kAvx2);
  for (int l = 0; l < 3; ++l) EXPECT_TRUE(packed->layers[l].half) << l;
  EXPECT_LT(BlockFloats(packed->layers[0], 64), 0.55 * BlockFloats(64, 48));
  EXPECT_FALSE(PackNetwork(spec, Kernel::kAvx2)->layers[0].half);
  EXPECT_FALSE(PackNetwork(rounded, Kernel::kPortable)->layers[0].half);
  const auto error =
      QuantisationError(**Policy::Create(spec), **Policy::Create(rounded), 20'000, 1);
  ASSERT_TRUE(error.ok()) << error.status();
  EXPECT_GT(error->worst, 0);
  EXPECT_LT(error->worst, 2e-3);  // of the action's scale; int8 inside: 3e-2
}

TEST(RoundWeights, ALayerWithOneOtherWeightStaysFloat32) {
  if (!CanRun(Kernel::kAvx2)) return;
  PolicySpec spec = Trained({16, 16});
  RoundWeights(&spec);
  spec.layers[1].weight[7] = 1e6F;
  RoundWeights(&spec);
  EXPECT_EQ(spec.layers[1].weight[7], 1e6F);
  const PackedPointer packed = PackNetwork(spec, Kernel::kAvx2);
  EXPECT_TRUE(packed->layers[0].half);
  EXPECT_FALSE(packed->layers[1].half);
  EXPECT_TRUE(packed->layers[2].half);
}

}  // namespace
}  // namespace saferl::policy
