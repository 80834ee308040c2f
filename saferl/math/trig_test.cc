#include "saferl/math/trig.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "saferl/base/random.h"

namespace saferl::math {
namespace {

TEST(SinCos, AgreesWithTheLibraryInExtendedPrecision) {
  Random random(1);
  double worst = 0;
  for (int i = 0; i < 400'000; ++i) {
    const double range = i % 3 == 0 ? 1e5 : (i % 3 == 1 ? 7.0 : 0.9);
    const double x = random.Uniform(-range, range);
    const SinCosPair pair = SinCos(x);
    const long double exact = x;
    worst = std::max(worst, static_cast<double>(std::abs(pair.sin - std::sin(exact))));
    worst = std::max(worst, static_cast<double>(std::abs(pair.cos - std::cos(exact))));
  }
  EXPECT_LT(worst, 2e-16);
  RecordProperty("worst", std::to_string(worst));
}

TEST(SinCos, NearQuarterTurnsNothingCancels) {
  for (int k = -4000; k <= 4000; ++k) {
    for (const double off : {0.0, 1e-12, -1e-9, 1e-5}) {
      const double x = k * (std::numbers::pi / 2) + off;
      const SinCosPair pair = SinCos(x);
      const auto sine = static_cast<double>(std::sin(static_cast<long double>(x)));
      const auto cosine = static_cast<double>(std::cos(static_cast<long double>(x)));
      EXPECT_NEAR(pair.sin, sine, 2.5e-16 * std::abs(sine) + 1e-30) << x;
      EXPECT_NEAR(pair.cos, cosine, 2.5e-16 * std::abs(cosine) + 1e-30) << x;
    }
  }
}

TEST(SinCos, ZeroIsExactAndTheRestIsTotal) {
  EXPECT_EQ(SinCos(0).sin, 0);
  EXPECT_EQ(SinCos(0).cos, 1);
  for (const double x : {1e6, -3e9, 1e300}) {
    EXPECT_EQ(SinCos(x).sin, std::sin(x));
    EXPECT_EQ(SinCos(x).cos, std::cos(x));
  }
  for (const double x :
       {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_TRUE(std::isnan(SinCos(x).sin));
    EXPECT_TRUE(std::isnan(SinCos(x).cos));
  }
}

TEST(SinCos, ManyAtOnceAreTheSameBits) {
  Random random(2);
  for (int trial = 0; trial < 1000; ++trial) {
    double x[8], s[8], c[8];
    for (double& one : x) one = random.Uniform(-4, 4);
    if (trial % 10 == 0) x[trial / 10 % 8] = 1e7;
    SinCos(x, 8, s, c);
    for (int i = 0; i < 8; ++i) {
      EXPECT_EQ(s[i], SinCos(x[i]).sin);
      EXPECT_EQ(c[i], SinCos(x[i]).cos);
    }
  }
}

}  // namespace
}  // namespace saferl::math
