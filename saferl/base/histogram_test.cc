#include "saferl/base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "saferl/base/random.h"

namespace saferl {
namespace {

TEST(Histogram, EmptyIsZero) {
  const Histogram h;
  EXPECT_EQ(h.count(), 0u);
  EXPECT_EQ(h.p50(), 0);
  EXPECT_EQ(h.min(), 0);
  EXPECT_EQ(h.max(), 0);
}

TEST(Histogram, PercentilesLieWithinABucketOfTheTruth) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    Histogram h;
    std::vector<int64_t> all;
    for (int i = 0; i < 5000; ++i) {
      const int64_t v = static_cast<int64_t>(std::exp(random.Uniform(0.0, 40.0)));
      h.Record(v);
      all.push_back(v);
    }
    std::sort(all.begin(), all.end());
    for (double q : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const size_t rank = static_cast<size_t>(std::ceil(q * 5000)) - 1;
      const double truth = static_cast<double>(all[rank]);
      ASSERT_GE(static_cast<double>(h.Percentile(q)), truth);
      ASSERT_LE(static_cast<double>(h.Percentile(q)), truth * 1.032 + 1);
    }
    EXPECT_EQ(h.min(), all.front());
    EXPECT_EQ(h.max(), all.back());
  }
}

TEST(Histogram, TakesTheExtremes) {
  Histogram h;
  h.Record(-5);
  h.Record(INT64_MAX);
  EXPECT_EQ(h.min(), 0);
  EXPECT_EQ(h.max(), INT64_MAX);
  EXPECT_EQ(h.Percentile(1.0), INT64_MAX);
  EXPECT_EQ(h.Percentile(0.0), 0);
}

TEST(Histogram, MergeEqualsRecordingBoth) {
  Random random(3);
  Histogram a, b, both;
  for (int i = 0; i < 1000; ++i) {
    const int64_t v = random.Index(1'000'000);
    (i % 3 == 0 ? a : b).Record(v);
    both.Record(v);
  }
  a.Merge(b);
  EXPECT_EQ(a.count(), both.count());
  EXPECT_EQ(a.p50(), both.p50());
  EXPECT_EQ(a.p99_9(), both.p99_9());
  EXPECT_DOUBLE_EQ(a.mean(), both.mean());
  a.Reset();
  EXPECT_EQ(a.count(), 0u);
}

}  // namespace
}  // namespace saferl
