#pragma once
// Problem families for the QP's test and benchmark: random ones like a control tick's, and
// adversarial ones (duplicate and nearly duplicate rows, degenerate vertices, contradictions by a
// hair, wild scales, pinned variables). RT: no; test support.

#include <array>
#include <vector>

#include "saferl/base/random.h"
#include "saferl/math/qp.h"

namespace saferl::math {

enum class QpFamily {
  kRandom,
  kDuplicateRows,
  kNearlyDuplicateRows,
  kDegenerateVertex,
  kContradiction,
  kWildScales,
  kPinned,
  kStiffHessian,
  kZeroRows,
  kCount
};

inline void MakeHessian(Random& random, double stiffness, QpProblem* p) {
  std::array<double, kQpMaxVars * kQpMaxVars> g;
  for (double& x : g) x = random.Normal();
  for (int i = 0; i < p->n; ++i) {
    for (int j = 0; j < p->n; ++j) {
      double sum = i == j ? 1.0 / stiffness : 0.0;
      for (int k = 0; k < p->n; ++k) sum += g[i * kQpMaxVars + k] * g[j * kQpMaxVars + k] / p->n;
      p->h[i * kQpMaxVars + j] = sum;
    }
  }
}

/// A problem of the family; about a fifth of them has no feasible point.
inline QpProblem MakeQp(QpFamily family, Random& random) {
  QpProblem p;
  p.n = 1 + random.Index(kQpMaxVars);
  p.m = random.Index(kQpMaxRows + 1);
  p.identity_hessian = random.Chance(0.5);
  if (!p.identity_hessian) MakeHessian(random, family == QpFamily::kStiffHessian ? 1e8 : 1.0, &p);
  std::array<double, kQpMaxVars> inside;
  for (int i = 0; i < p.n; ++i) {
    const double width = random.Uniform(0.01, 3.0);
    const double middle = random.Uniform(-1, 1);
    p.lower[i] = random.Chance(0.1) ? -INFINITY : middle - width;
    p.upper[i] = random.Chance(0.1) ? INFINITY : middle + width;
    p.f[i] = 3.0 * random.Normal();
    inside[i] = middle + random.Uniform(-0.9, 0.9) * width;
    if (family == QpFamily::kPinned && random.Chance(0.5))
      p.lower[i] = p.upper[i] = inside[i] = middle;
  }
  const bool feasible = random.Chance(0.8);
  for (int r = 0; r < p.m; ++r) {
    const bool copy =
        r > 0 &&
        (family == QpFamily::kDuplicateRows || family == QpFamily::kNearlyDuplicateRows ||
         family == QpFamily::kContradiction) &&
        random.Chance(0.5);
    const double sign = copy && family == QpFamily::kContradiction ? -1.0 : 1.0;
    const int from = copy ? random.Index(r) : 0;
    const double jitter =
        family == QpFamily::kNearlyDuplicateRows ? std::pow(10.0, random.Uniform(-15, -3)) : 0.0;
    const double scale =
        family == QpFamily::kWildScales ? std::pow(10.0, random.Uniform(-5, 5)) : 1.0;
    double at_inside = 0;
    for (int c = 0; c < p.n; ++c) {
      double value =
          copy ? sign * p.row(from)[c] + jitter * random.Normal() : scale * random.Normal();
      if (family == QpFamily::kZeroRows && random.Chance(0.3)) value = 0;
      p.row(r)[c] = value;
      at_inside += value * inside[c];
    }
    const double slack = family == QpFamily::kDegenerateVertex ? 0.0 : scale * random.Uniform(0, 1);
    p.b[r] = at_inside + (feasible ? slack : random.Uniform(-2, 1) * scale);
    if (copy &&
        family ==
            QpFamily::kContradiction) {  // a gap or an overlap of any size between opposite rows
      const double gap = std::pow(10.0, random.Uniform(-9, 0));
      p.b[r] = -p.b[from] + (feasible ? gap : -gap);
    }
  }
  return p;
}

/// A drifting problem as the yardstick of docs/benchmarks.md has it: H = I, |x| <= 1, every row
/// changes each tick.
class DriftingQp {
 public:
  DriftingQp(int n, int m, double push, uint64_t seed) : random_(seed), push_(push) {
    problem_.n = n;
    problem_.m = m;
    problem_.identity_hessian = true;
    problem_.lower.fill(-1);
    problem_.upper.fill(1);
    for (int i = 0; i < n; ++i) problem_.f[i] = push_ * random_.Normal();
    for (int r = 0; r < m; ++r) {
      for (int c = 0; c < n; ++c) problem_.row(r)[c] = random_.Normal();
      problem_.b[r] = random_.Uniform(0.1, 1.0);
    }
  }
  const QpProblem& Next() {
    for (int i = 0; i < problem_.n; ++i)
      problem_.f[i] = 0.999 * problem_.f[i] + 0.045 * push_ * random_.Normal();
    for (int r = 0; r < problem_.m; ++r) {
      for (int c = 0; c < problem_.n; ++c) problem_.row(r)[c] += 0.01 * random_.Normal();
      problem_.b[r] = 0.1 + std::abs(problem_.b[r] - 0.1 + 0.01 * random_.Normal());
    }
    return problem_;
  }

 private:
  Random random_;
  double push_;
  QpProblem problem_;
};

}  // namespace saferl::math
