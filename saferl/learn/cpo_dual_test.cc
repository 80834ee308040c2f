#include "saferl/learn/cpo_dual.h"

#include <cmath>

#include "gtest/gtest.h"
#include "saferl/base/random.h"

namespace saferl::learn {
namespace {

/// A random problem in the plane with H = I, so that steps can be tried by hand.
struct Plane {
  double g[2];
  double b[kMaxCosts][2];
  CpoNumbers numbers;

  Plane(Random* random, int n) {
    for (double& x : g) x = random->Normal();
    numbers.n = n;
    numbers.delta = random->Uniform(0.005, 0.5);
    numbers.q = g[0] * g[0] + g[1] * g[1];
    for (int k = 0; k < n; ++k) {
      for (double& x : b[k]) x = random->Normal();
      numbers.c[k] = random->Uniform(-0.8, 0.8);
      numbers.r[k] = b[k][0] * g[0] + b[k][1] * g[1];
    }
    for (int k = 0; k < n; ++k)
      for (int l = 0; l < n; ++l) numbers.s[k][l] = b[k][0] * b[l][0] + b[k][1] * b[l][1];
  }
  void StepOf(const CpoStep& step, double x[2]) const {
    for (int i = 0; i < 2; ++i) {
      x[i] = step.feasible && step.lambda > 0 ? g[i] / step.lambda : 0;
      for (int k = 0; k < numbers.n; ++k)
        x[i] -= step.nu[k] * b[k][i] * (step.feasible ? 1 / step.lambda : step.recovery);
    }
  }
  double Worst(const double x[2]) const {
    double worst = -1e9;
    for (int k = 0; k < numbers.n; ++k)
      worst = std::max(worst, numbers.c[k] + b[k][0] * x[0] + b[k][1] * x[1]);
    return worst;
  }
  /// Best g'x over the feasible part of the trust region, on a fine polar grid; -inf when that part
  /// is empty.
  double BestByGrid() const {
    constexpr int kAngles = 1440, kRadii = 200;
    const double radius = std::sqrt(2 * numbers.delta);
    double best = -INFINITY;
    for (int a = 0; a < kAngles; ++a) {
      for (int r = 0; r <= kRadii; ++r) {
        const double angle = 2 * M_PI * a / kAngles, length = radius * r / kRadii;
        const double x[2] = {length * std::cos(angle), length * std::sin(angle)};
        if (Worst(x) <= 0) best = std::max(best, g[0] * x[0] + g[1] * x[1]);
      }
    }
    return best;
  }
};

TEST(CpoDual, StepsAreFeasibleAndAsGoodAsASearchByHand) {
  Random random(5);
  int infeasible = 0, active = 0;
  for (int n = 1; n <= 3; ++n) {
    for (int trial = 0; trial < 60; ++trial) {
      const Plane plane(&random, n);
      const CpoStep step = SolveCpoDual(plane.numbers);
      const double best = plane.BestByGrid();
      double x[2];
      plane.StepOf(step, x);
      EXPECT_LE(x[0] * x[0] + x[1] * x[1], 2 * plane.numbers.delta * (1 + 1e-6));
      if (!step.feasible) {
        ++infeasible;
        EXPECT_EQ(best, -INFINITY)
            << "recovery although a feasible step exists, n " << n << " trial " << trial;
        double slope = 0;  // of the squared violations, each in its own scale, along the step
        for (int k = 0; k < n; ++k)
          slope += std::max(0.0, plane.numbers.c[k]) / plane.numbers.s[k][k] *
                   (plane.b[k][0] * x[0] + plane.b[k][1] * x[1]);
        EXPECT_LT(slope, 0) << "recovery must lead out, n " << n << " trial " << trial;
        continue;
      }
      EXPECT_LE(plane.Worst(x), 2e-5) << "n " << n << " trial " << trial;
      const double scale = std::sqrt(2 * plane.numbers.delta * plane.numbers.q);
      EXPECT_GE(plane.g[0] * x[0] + plane.g[1] * x[1], best - 0.02 * scale)
          << "n " << n << " trial " << trial;
      for (int k = 0; k < n; ++k) active += step.nu[k] > 0 ? 1 : 0;
    }
  }
  EXPECT_GT(infeasible, 10);
  EXPECT_GT(active, 10);
}

TEST(CpoDual, ClosedFormAndQpDualAgreeForOneCost) {
  Random random(9);
  for (int trial = 0; trial < 500; ++trial) {
    const Plane plane(&random, 1);
    const CpoStep a = SolveSingleDual(plane.numbers), b = SolveQpDual(plane.numbers);
    ASSERT_EQ(a.feasible, b.feasible) << trial;
    double xa[2], xb[2];
    plane.StepOf(a, xa);
    plane.StepOf(b, xb);
    for (int i = 0; i < 2; ++i) ASSERT_NEAR(xa[i], xb[i], 1e-4) << trial;
  }
}

TEST(CpoDual, CostsWithoutGradientAndZeroObjectiveGiveFiniteSteps) {
  CpoNumbers numbers;
  numbers.n = 2;
  numbers.delta = 0.01;
  numbers.q = 1;
  numbers.c = {0.0, 0.5};  // limit exactly met, and exceeded, by costs that no step changes
  CpoStep step = SolveCpoDual(numbers);
  EXPECT_TRUE(step.feasible);
  EXPECT_NEAR(step.lambda, std::sqrt(1 / 0.02), 1e-9);
  numbers.q = 0;
  step = SolveCpoDual(numbers);
  EXPECT_EQ(step.lambda, 0);
  EXPECT_TRUE(std::isfinite(step.kl));
}

}  // namespace
}  // namespace saferl::learn
