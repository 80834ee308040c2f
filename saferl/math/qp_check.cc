// The independent judge of QP answers: plain sums over the original data, no factor, no code of the
// solver.
#include <algorithm>
#include <cmath>
#include <limits>

#include "saferl/math/qp.h"

namespace saferl::math {
namespace {

constexpr double kRejected = std::numeric_limits<double>::infinity();

double HessianTimesX(const QpProblem& p, const std::array<double, kQpMaxVars>& x, int i) {
  if (p.identity_hessian) return x[i];
  double sum = 0;
  for (int j = 0; j < p.n; ++j) sum += p.h[std::max(i, j) * kQpMaxVars + std::min(i, j)] * x[j];
  return sum;
}

/// max(worst, value), and infinity for NaN: what cannot be judged is rejected.
double Worse(double worst, double value) {
  return value <= worst ? worst : (std::isnan(value) ? kRejected : value);
}

double CheckSolved(const QpProblem& p, const QpSolution& s) {
  double worst = 0;
  const double* y = s.multipliers.data();
  const double* y_lower = y + p.m;
  const double* y_upper = y_lower + p.n;
  std::array<double, kQpMaxVars> gradient{}, size{};
  for (int i = 0; i < p.n; ++i) {
    const double hx = HessianTimesX(p, s.x, i);
    gradient[i] = hx + p.f[i] + y_upper[i] - y_lower[i];
    size[i] = 1 + std::abs(hx) + std::abs(p.f[i]) + y_upper[i] + y_lower[i];
  }
  for (int r = 0; r < p.m; ++r) {
    double sum[4] = {}, size_of[4] = {};  // four lanes; columns beyond n are zero
    for (int c = 0; c < p.n; c += 4) {
      for (int lane = 0; lane < 4; ++lane) {
        const double term = p.row(r)[c + lane] * s.x[c + lane];
        sum[lane] += term;
        size_of[lane] += std::abs(term);
      }
    }
    const double ax = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    const double terms = 1 + (std::isfinite(p.b[r]) ? std::abs(p.b[r]) : 0) +
                         (size_of[0] + size_of[1]) + (size_of[2] + size_of[3]);
    worst = Worse(worst, (ax - p.b[r]) / terms);
    worst = Worse(worst, -y[r]);
    if (y[r] == 0) continue;
    worst = Worse(worst, std::abs(y[r] * (ax - p.b[r])) / (terms * (1 + y[r])));
    for (int c = 0; c < p.n; ++c) {
      gradient[c] += p.row(r)[c] * y[r];
      size[c] += std::abs(p.row(r)[c] * y[r]);
    }
  }
  for (int i = 0; i < p.n; ++i) {
    worst = Worse(worst, std::abs(gradient[i]) / size[i]);
    worst = Worse(worst, (p.lower[i] - s.x[i]) / (1 + std::abs(s.x[i])));
    worst = Worse(worst, (s.x[i] - p.upper[i]) / (1 + std::abs(s.x[i])));
    worst = Worse(worst, std::max(-y_lower[i], -y_upper[i]));
    if (y_lower[i] > 0)
      worst = Worse(worst, std::abs(s.x[i] - p.lower[i]) * y_lower[i] / (1 + y_lower[i]));
    if (y_upper[i] > 0)
      worst = Worse(worst, std::abs(p.upper[i] - s.x[i]) * y_upper[i] / (1 + y_upper[i]));
  }
  return worst;
}

/// Farkas: y >= 0, A'y (bounds included) = 0, b'y < 0 proves that no x exists.
double CheckInfeasible(const QpProblem& p, const QpSolution& s) {
  double worst = 0, by = 0, size_by = 0, largest = 0;
  const double* y = s.multipliers.data();
  std::array<double, kQpMaxVars> aty{}, size{};
  const auto add_bound = [&](double multiplier, double bound) {
    if (multiplier == 0) return;
    by += multiplier * bound;
    size_by += std::abs(multiplier * bound);
  };
  for (int i = 0; i < p.m + 2 * p.n; ++i) {
    worst = Worse(worst, -y[i]);
    largest = std::max(largest, y[i]);
  }
  for (int r = 0; r < p.m; ++r) {
    add_bound(y[r], p.b[r]);
    for (int c = 0; c < p.n; ++c) {
      aty[c] += p.row(r)[c] * y[r];
      size[c] += std::abs(p.row(r)[c] * y[r]);
    }
  }
  for (int i = 0; i < p.n; ++i) {
    aty[i] += y[p.m + p.n + i] - y[p.m + i];
    size[i] += y[p.m + p.n + i] + y[p.m + i];
    add_bound(y[p.m + i], -p.lower[i]);
    add_bound(y[p.m + p.n + i], p.upper[i]);
    worst = Worse(worst, std::abs(aty[i]) / std::max(size[i], 1e-300));
  }
  if (!(largest > 0) || !(by < -1e-13 * size_by)) return kRejected;
  return worst;
}

}  // namespace

double CheckQpCertificate(const QpProblem& problem, const QpSolution& solution) {
  if (problem.n < 1 || problem.n > kQpMaxVars || problem.m < 0 || problem.m > kQpMaxRows)
    return kRejected;
  if (solution.status == QpStatus::kSolved) return CheckSolved(problem, solution);
  if (solution.status == QpStatus::kInfeasible) return CheckInfeasible(problem, solution);
  return kRejected;
}

}  // namespace saferl::math
