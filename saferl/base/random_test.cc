#include "saferl/base/random.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <vector>

namespace saferl {
namespace {

TEST(Random, SameSeedAndStreamGiveTheSameDraws) {
  Random a(42, 3), b(42, 3);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(a.NextU64(), b.NextU64());
}

TEST(Random, SeedsAndStreamsDiffer) {
  std::set<uint64_t> first;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    for (uint64_t stream = 0; stream < 50; ++stream) first.insert(Random(seed, stream).NextU64());
  }
  EXPECT_EQ(first.size(), 2500u);
}

TEST(Random, GeneratorMatchesTheReferenceAlgorithm) {
  // xoshiro256++ from the state {1, 2, 3, 4}: the published first outputs.
  Random random;
  const uint64_t state[4] = {1, 2, 3, 4};
  random.set_state(state);
  EXPECT_EQ(random.NextU64(), 41943041u);
  EXPECT_EQ(random.NextU64(), 58720359u);
  EXPECT_EQ(random.NextU64(), 3588806011781223u);
  EXPECT_EQ(random.NextU64(), 3591011842654386u);
}

TEST(Random, UniformStaysInRangeAndHasTheRightMoments) {
  Random random(7);
  double sum = 0, square = 0;
  constexpr int kDraws = 200'000;
  for (int i = 0; i < kDraws; ++i) {
    const double x = random.Uniform();
    ASSERT_GE(x, 0.0);
    ASSERT_LT(x, 1.0);
    sum += x;
    square += x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 0.003);
  EXPECT_NEAR(square / kDraws, 1.0 / 3.0, 0.003);
}

TEST(Random, NormalHasTheRightMoments) {
  Random random(8);
  double sum = 0, square = 0, fourth = 0;
  constexpr int kDraws = 200'000;
  for (int i = 0; i < kDraws; ++i) {
    const double x = random.Normal();
    sum += x;
    square += x * x;
    fourth += x * x * x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0.0, 0.01);
  EXPECT_NEAR(square / kDraws, 1.0, 0.02);
  EXPECT_NEAR(fourth / kDraws, 3.0, 0.15);
}

TEST(Random, IndexCoversItsRangeEvenly) {
  Random random(9);
  std::vector<int> count(7);
  for (int i = 0; i < 70'000; ++i) ++count[static_cast<size_t>(random.Index(7))];
  for (int n : count) EXPECT_NEAR(n, 10'000, 500);
}

TEST(Random, StateRoundTripContinuesTheStream) {
  Random a(5);
  for (int i = 0; i < 17; ++i) a.NextU64();
  Random b(99);
  b.set_state(a.state());
  for (int i = 0; i < 100; ++i) ASSERT_EQ(a.NextU64(), b.NextU64());
}

}  // namespace
}  // namespace saferl
