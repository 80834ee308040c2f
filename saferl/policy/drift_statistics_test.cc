#include "saferl/policy/drift_statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "saferl/base/random.h"

namespace saferl::policy {
namespace {

TEST(DriftStatistics, StudentsTailIsThatOfTables) {
  EXPECT_NEAR(StudentUpperTail(0, 5), 0.5, 1e-12);
  EXPECT_NEAR(StudentUpperTail(2.015048, 5), 0.05, 1e-7);
  EXPECT_NEAR(StudentUpperTail(63.65674, 1), 0.005, 1e-8);
  EXPECT_NEAR(StudentUpperTail(4.587, 10), 0.0005, 1e-7);
  EXPECT_NEAR(StudentUpperTail(-1.812461, 10), 0.95, 1e-7);
  EXPECT_NEAR(StudentUpperTail(3.290527, 1e9), 0.0005, 1e-8);  // the normal
  EXPECT_EQ(StudentUpperTail(NAN, 3), 1);
}

TEST(DriftStatistics, SignTestCountsSides) {
  EXPECT_DOUBLE_EQ(SignPValue(10, 10), std::pow(2, -10));
  EXPECT_NEAR(SignPValue(8, 10), 56.0 / 1024, 1e-12);
  EXPECT_NEAR(SignPValue(0, 10), 1, 1e-12);
}

/// The example of Benjamini & Hochberg (1995), section 3.3: four of fifteen at 0.05.
TEST(DriftStatistics, BenjaminiAndHochbergsOwnExample) {
  std::vector<double> p = {0.0459, 0.0001, 0.3240, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298,
                           0.0344, 0.0004, 0.4262, 0.5719, 0.6528, 0.7590, 1.000};
  BenjaminiHochberg(p);
  EXPECT_NEAR(p[1], 0.0015, 1e-12);
  EXPECT_NEAR(p[9], 0.003, 1e-12);
  EXPECT_NEAR(p[3], 0.0095, 1e-12);
  EXPECT_NEAR(p[4], 0.035625, 1e-12);
  EXPECT_EQ(std::ranges::count_if(p, [](double v) { return v <= 0.05; }), 4);
  EXPECT_EQ(p[14], 1);
}

/// Block means of a first-order process, exactly; the share of means that the test calls off.
double Rejected(double rho, double level, double most_correlation) {
  constexpr int kBlocks = 256, kSize = 256, kTimes = 20'000;
  double start = 0, own = 0, cross = 0, end = 0;  // of a block's mean and last value
  for (int k = 1; k <= kSize; ++k) start += std::pow(rho, k) / kSize;
  for (int j = 1; j <= kSize; ++j) {
    const double mean = (rho == 1 ? 0 : (1 - std::pow(rho, kSize - j + 1)) / (1 - rho)) / kSize;
    const double last = std::pow(rho, kSize - j), noise = 1 - rho * rho;
    own += mean * mean * noise;
    cross += mean * last * noise;
    end += last * last * noise;
  }
  const double l11 = std::sqrt(own), l21 = cross / l11, l22 = std::sqrt(end - l21 * l21);
  Random random(1);
  double x = random.Normal();
  std::vector<double> means(kBlocks);
  std::vector<int> previous(kBlocks);
  int rejected = 0;
  for (int t = 0; t < kTimes; ++t) {
    for (int b = 0; b < kBlocks; ++b) {
      const double e = random.Normal(), f = random.Normal();
      means[b] = start * x + l11 * e;
      x = std::pow(rho, kSize) * x + l21 * e + l22 * f;
      previous[b] = b - 1;
    }
    const MeanEstimate mean = EstimateMean(means, previous, most_correlation);
    rejected += ShiftPValue(mean.mean / std::sqrt(mean.variance), 0, mean.dof) <= level;
  }
  return static_cast<double>(rejected) / kTimes;
}

TEST(DriftStatistics, AMeansErrorKnowsTheAutocorrelation) {
  for (const double rho : {0.9, 0.99, 0.999, 0.9999})
    EXPECT_LE(Rejected(rho, 0.01, 0.97), 1.2 * 0.01) << rho;
  EXPECT_GT(Rejected(0.9, 0.01, 0.97), 0.4 * 0.01);  // and is not merely careful
  EXPECT_GT(Rejected(0.99, 0.01, 0), 1.2 * 0.01);    // the mutant that believes in none
  EXPECT_GT(Rejected(0.999, 0.01, 0), 10 * 0.01);
}

/// Drives of 16 blocks, each with a level of its own beside what changes within it: their blocks'
/// autocorrelation does not fall with the distance.
TEST(DriftStatistics, AMeansErrorKnowsThatDrivesDiffer) {
  constexpr int kBlocks = 256, kDrive = 16, kTimes = 5000;
  Random random(1);
  std::vector<double> means(kBlocks);
  std::vector<int> previous(kBlocks);
  const std::vector<int> mutant(kBlocks, -1);  // which drive a block is of is forgotten
  int rejected = 0, by_mutant = 0;
  for (int t = 0; t < kTimes; ++t) {
    double level = 0;
    for (int b = 0; b < kBlocks; ++b) {
      if (b % kDrive == 0) level = random.Normal();
      means[b] = level + random.Normal();
      previous[b] = b % kDrive == 0 ? -1 : b - 1;
    }
    const auto p = [&](std::span<const int> links) {
      const MeanEstimate mean = EstimateMean(means, links, 0.97);
      return ShiftPValue(mean.mean / std::sqrt(mean.variance), 0, mean.dof);
    };
    rejected += p(previous) <= 0.01;
    by_mutant += p(mutant) <= 0.01;
  }
  EXPECT_LE(rejected, 1.2 * 0.01 * kTimes);
  EXPECT_GT(by_mutant, 10 * 0.01 * kTimes);
}

}  // namespace
}  // namespace saferl::policy
