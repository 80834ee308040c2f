#include "saferl/math/qp.h"

#include <gtest/gtest.h>

#include <limits>

#include "saferl/math/qp_problems.h"

namespace saferl::math {
namespace {

constexpr double kTolerance = 1e-8;

QpSolution SolveCold(const QpProblem& problem) {
  QpWorkspace workspace;
  QpSolution solution;
  SolveQp(problem, &workspace, &solution);
  return solution;
}

QpProblem Box(int n) {
  QpProblem p;
  p.n = n;
  p.identity_hessian = true;
  p.lower.fill(-1);
  p.upper.fill(1);
  return p;
}

TEST(Qp, ProjectsOntoABox) {
  QpProblem p = Box(3);
  p.f = {-5, 0.25, 3};
  const QpSolution s = SolveCold(p);
  ASSERT_EQ(s.status, QpStatus::kSolved);
  EXPECT_EQ(s.x[0], 1);
  EXPECT_DOUBLE_EQ(s.x[1], -0.25);
  EXPECT_EQ(s.x[2], -1);
}

TEST(Qp, ProjectsOntoAHalfPlane) {
  QpProblem p = Box(2);
  p.m = 1;
  p.f = {-1, -1};  // nearest to (1, 1)
  p.row(0)[0] = p.row(0)[1] = 1;
  p.b[0] = 1;
  const QpSolution s = SolveCold(p);
  ASSERT_EQ(s.status, QpStatus::kSolved);
  EXPECT_NEAR(s.x[0], 0.5, 1e-15);
  EXPECT_NEAR(s.x[1], 0.5, 1e-15);
  EXPECT_NEAR(s.multipliers[0], 0.5, 1e-15);
}

TEST(Qp, NamesTheRowsThatConflict) {
  QpProblem p = Box(2);
  p.m = 3;
  p.row(0)[1] = 1;  // y <= 5: innocent
  p.b[0] = 5;
  p.row(1)[0] = 1;  // x <= 0
  p.b[1] = 0;
  p.row(2)[0] = -1;  // x >= 0.001
  p.b[2] = -0.001;
  const QpSolution s = SolveCold(p);
  ASSERT_EQ(s.status, QpStatus::kInfeasible);
  EXPECT_EQ(s.multipliers[0], 0);
  EXPECT_GT(s.multipliers[1], 0);
  EXPECT_GT(s.multipliers[2], 0);
  EXPECT_LE(CheckQpCertificate(p, s), kTolerance);
}

TEST(Qp, CrossedBoundsAreInfeasibleWithACertificate) {
  QpProblem p = Box(2);
  p.lower[1] = 2;
  const QpSolution s = SolveCold(p);
  ASSERT_EQ(s.status, QpStatus::kInfeasible);
  EXPECT_LE(CheckQpCertificate(p, s), kTolerance);
}

TEST(Qp, RefusesWhatIsNotAProblem) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  for (const auto& spoil :
       std::vector<void (*)(QpProblem*, double)>{[](QpProblem* p, double v) { p->f[1] = v; },
                                                 [](QpProblem* p, double v) { p->row(0)[1] = v; },
                                                 [](QpProblem* p, double v) { p->b[0] = -v; },
                                                 [](QpProblem* p, double v) { p->lower[0] = v; }}) {
    for (const double value : {nan, inf}) {
      QpProblem p = Box(2);
      p.m = 1;
      spoil(&p, value);
      EXPECT_EQ(SolveCold(p).status, QpStatus::kBadInput);
    }
  }
  QpProblem p = Box(2);
  p.n = 0;
  EXPECT_EQ(SolveCold(p).status, QpStatus::kBadInput);
  p.n = 17;
  EXPECT_EQ(SolveCold(p).status, QpStatus::kBadInput);
  p = Box(2);
  p.m = 65;
  EXPECT_EQ(SolveCold(p).status, QpStatus::kBadInput);
  p = Box(2);
  p.identity_hessian = false;  // H = 0: not positive definite
  EXPECT_EQ(SolveCold(p).status, QpStatus::kBadInput);
}

TEST(Qp, SolvesAMillionRandomAndAdversarialProblemsWithCertificates) {
  Random random(2026);
  int most_iterations = 0, infeasible = 0;
  double worst = 0;
  constexpr int kProblems = 1'000'000;
  for (int i = 0; i < kProblems; ++i) {
    const auto family = static_cast<QpFamily>(i % static_cast<int>(QpFamily::kCount));
    const QpProblem p = MakeQp(family, random);
    const QpSolution s = SolveCold(p);
    ASSERT_TRUE(s.status == QpStatus::kSolved || s.status == QpStatus::kInfeasible)
        << "family " << i % static_cast<int>(QpFamily::kCount) << " problem " << i << " n " << p.n
        << " m " << p.m << " status " << static_cast<int>(s.status);
    const double residual = CheckQpCertificate(p, s);
    ASSERT_LE(residual, kTolerance) << "problem " << i;
    worst = std::max(worst, residual);
    most_iterations = std::max(most_iterations, s.iterations);
    infeasible += s.status == QpStatus::kInfeasible;
  }
  std::printf(
      "%d problems, 0 unsolved, 0 uncertified, %d infeasible with certificate, worst residual "
      "%.1e, "
      "most iterations %d of %d\n",
      kProblems, infeasible, worst, most_iterations, kQpMaxIterations);
  EXPECT_LT(most_iterations, kQpMaxIterations);
  EXPECT_GT(infeasible, kProblems / 20);
}

TEST(Qp, WarmStartFindsTheSameAnswerAsCold) {
  for (const auto& [n, m] : {std::pair{2, 4}, {7, 10}, {16, 64}}) {
    DriftingQp drifting(n, m, 2.0, 7);
    QpWorkspace warm;
    for (int tick = 0; tick < 2000; ++tick) {
      const QpProblem& p = drifting.Next();
      QpSolution s;
      SolveQp(p, &warm, &s);
      const QpSolution cold = SolveCold(p);
      ASSERT_EQ(s.status, QpStatus::kSolved);
      for (int i = 0; i < n; ++i) ASSERT_NEAR(s.x[i], cold.x[i], 1e-9);
    }
  }
}

TEST(Qp, SurvivesAGarbageWarmStart) {
  Random random(5);
  for (int i = 0; i < 20000; ++i) {
    const QpProblem p = MakeQp(QpFamily::kRandom, random);
    QpWorkspace workspace;
    workspace.n_active = random.Index(kQpMaxVars + 1);
    for (auto& code : workspace.active) code = static_cast<int16_t>(random.Index(200) - 50);
    for (double& y : workspace.multiplier) y = 100 * random.Normal();
    QpSolution s;
    SolveQp(p, &workspace, &s);
    ASSERT_TRUE(s.status == QpStatus::kSolved || s.status == QpStatus::kInfeasible);
    ASSERT_LE(CheckQpCertificate(p, s), kTolerance);
  }
}

TEST(Qp, SameInputSameBits) {
  Random random(6);
  for (int i = 0; i < 2000; ++i) {
    const QpProblem p = MakeQp(QpFamily::kRandom, random);
    const QpSolution a = SolveCold(p), b = SolveCold(p);
    ASSERT_EQ(a.x, b.x);
    ASSERT_EQ(a.multipliers, b.multipliers);
  }
}

TEST(QpCertificate, RejectsATamperedAnswer) {
  Random random(9);
  int tampered = 0;
  for (int i = 0; i < 5000; ++i) {
    const QpProblem p = MakeQp(QpFamily::kRandom, random);
    QpSolution s = SolveCold(p);
    const int victim = random.Index(p.n);
    if (s.status == QpStatus::kSolved) {
      s.x[victim] += random.Chance(0.5) ? 1e-3 : -1e-3;
    } else {
      s.multipliers[p.m + victim] += 1e-3;
    }
    EXPECT_GT(CheckQpCertificate(p, s), kTolerance) << i;
    ++tampered;
  }
  EXPECT_EQ(tampered, 5000);
}

TEST(QpCertificate, RejectsAnUnfoundedInfeasible) {
  QpProblem p = Box(2);
  QpSolution s;
  s.status = QpStatus::kInfeasible;
  EXPECT_GT(CheckQpCertificate(p, s), 1.0);  // y = 0 proves nothing
  s.multipliers[2] = s.multipliers[4] = 1;   // 1 >= x >= -1 is no contradiction
  EXPECT_GT(CheckQpCertificate(p, s), 1.0);
}

}  // namespace
}  // namespace saferl::math
