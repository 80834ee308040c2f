#include "saferl/learn/cpo_dual.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "saferl/math/qp.h"

namespace saferl::learn {
namespace {

constexpr double kRidge = 1e-9;  // keeps the QP strictly convex, below what any answer shows
constexpr double kRecoveryRidge =
    0.1;  // costs that pull against each other: reduce both as far as they let

/// Drops costs that no step can change; returns which are kept.
CpoNumbers Reduce(const CpoNumbers& in, std::array<int, kMaxCosts>* kept) {
  CpoNumbers out = in;
  out.n = 0;
  for (int k = 0; k < in.n; ++k)
    if (in.s[k][k] > kNoGradient) (*kept)[out.n++] = k;
  for (int i = 0; i < out.n; ++i) {
    out.r[i] = in.r[(*kept)[i]];
    out.c[i] = in.c[(*kept)[i]];
    for (int j = 0; j < out.n; ++j) out.s[i][j] = in.s[(*kept)[i]][(*kept)[j]];
  }
  return out;
}

/// (g - B nu)' H^-1 (g - B nu).
double Residual(const CpoNumbers& p, const std::array<double, kMaxCosts>& nu) {
  double value = p.q;
  for (int i = 0; i < p.n; ++i) {
    value -= 2 * p.r[i] * nu[i];
    for (int j = 0; j < p.n; ++j) value += nu[i] * p.s[i][j] * nu[j];
  }
  return std::max(0.0, value);
}

double Quadratic(const CpoNumbers& p, const std::array<double, kMaxCosts>& nu) {
  double value = 0;
  for (int i = 0; i < p.n; ++i)
    for (int j = 0; j < p.n; ++j) value += nu[i] * p.s[i][j] * nu[j];
  return value;
}

/// argmin over nu >= 0 of 1/2 nu'S nu - linear'nu, scaled to unit diagonal, `ridge` added to that.
std::array<double, kMaxCosts> NonNegativeQp(const CpoNumbers& p,
                                            const std::array<double, kMaxCosts>& linear,
                                            double ridge) {
  math::QpProblem problem;
  math::QpWorkspace workspace;
  math::QpSolution solution;
  problem.n = p.n;
  std::array<double, kMaxCosts> root{};
  double size = 0;
  for (int i = 0; i < p.n; ++i) {
    root[i] = std::sqrt(p.s[i][i]);
    size = std::max(size, std::abs(linear[i] / root[i]));
  }
  std::array<double, kMaxCosts> nu{};
  if (size <= 0) return nu;
  for (int i = 0; i < p.n; ++i) {
    for (int j = 0; j < p.n; ++j)
      problem.h[i * math::kQpMaxVars + j] =
          p.s[i][j] / (root[i] * root[j]) + (i == j ? ridge : 0.0);
    problem.f[i] = -linear[i] / (root[i] * size);
    problem.lower[i] = 0;
    problem.upper[i] = std::numeric_limits<double>::infinity();
  }
  math::SolveQp(problem, &workspace, &solution);
  if (solution.status != math::QpStatus::kSolved) return nu;
  for (int i = 0; i < p.n; ++i) nu[i] = std::max(0.0, solution.x[i]) * size / root[i];
  return nu;
}

/// True when the step -H^-1 B nu leaves some constraint broken beyond rounding.
bool Broken(const CpoNumbers& p, const std::array<double, kMaxCosts>& nu) {
  double size = 0, worst = 0;
  for (int i = 0; i < p.n; ++i) {
    double left = p.c[i];
    for (int j = 0; j < p.n; ++j) left -= p.s[i][j] * nu[j];
    size = std::max(size, std::abs(p.c[i]));
    worst = std::max(worst, left);
  }
  return worst > 1e-5 * size;
}

std::array<double, kMaxCosts> PricesAt(const CpoNumbers& p, double lambda) {
  std::array<double, kMaxCosts> linear{};
  for (int i = 0; i < p.n; ++i) linear[i] = p.r[i] + lambda * p.c[i];
  return NonNegativeQp(p, linear, kRidge);
}

CpoStep PlainStep(const CpoNumbers& p) {
  CpoStep step;
  if (p.q <= kNoGradient) return step;
  step.lambda = std::sqrt(p.q / (2 * p.delta));
  step.kl = p.delta;
  return step;
}

/// Straight out of the unsafe side, as far as the trust region goes.
CpoStep Recovery(const CpoNumbers& p, const std::array<double, kMaxCosts>& nu) {
  CpoStep step;
  step.feasible = false;
  step.nu = nu;
  const double size = Quadratic(p, nu);
  if (size > kNoGradient) step.recovery = std::sqrt(2 * p.delta / size);
  step.kl = p.delta;
  return step;
}

CpoStep Finish(const CpoNumbers& p, double lambda) {
  CpoStep step;
  step.lambda = lambda;
  step.nu = PricesAt(p, lambda);
  step.kl = 0.5 * Residual(p, step.nu) / (lambda * lambda);
  return step;
}

}  // namespace

CpoStep SolveSingleDual(const CpoNumbers& p) {
  const double r = p.r[0], s = p.s[0][0], c = p.c[0];
  const double b = 2 * p.delta - c * c / s;  // > 0: the plane c + b'x = 0 cuts the trust region
  if (b <= 0 && c > 0) return Recovery(p, {1.0});
  if (b <= 0) return PlainStep(p);  // the whole region is safe
  const double a = std::max(0.0, p.q - r * r / s);
  // Minus the dual is f_a on {lambda c + r > 0} (constraint active) and f_b elsewhere; its maximum
  // is the answer.
  const double boundary = c != 0 ? -r / c : std::numeric_limits<double>::infinity();
  double low_a = 0, high_a = std::numeric_limits<double>::infinity();
  double low_b = 0, high_b = std::numeric_limits<double>::infinity();
  if (c > 0) {
    low_a = std::max(0.0, boundary);
    high_b = std::max(0.0, boundary);
  } else if (c < 0) {
    high_a = std::max(0.0, boundary);
    low_b = std::max(0.0, boundary);
  } else {
    (r > 0 ? high_b : high_a) = 0;
  }
  constexpr double kTiny = 1e-12;
  const double lambda_a = std::max(kTiny, std::clamp(std::sqrt(a / b), low_a, high_a));
  const double lambda_b =
      std::max(kTiny, std::clamp(std::sqrt(p.q / (2 * p.delta)), low_b, high_b));
  const double f_a = -0.5 * (a / lambda_a + b * lambda_a) + r * c / s;
  const double f_b = -0.5 * (p.q / lambda_b + 2 * p.delta * lambda_b);
  const bool active = high_a > 0 && (high_b <= 0 || f_a >= f_b);
  CpoStep step;
  step.lambda = active ? lambda_a : lambda_b;
  step.nu[0] = active ? std::max(0.0, (r + step.lambda * c) / s) : 0.0;
  step.kl = 0.5 * Residual(p, step.nu) / (step.lambda * step.lambda);
  return step;
}

CpoStep SolveQpDual(const CpoNumbers& p) {
  // Smallest x'Hx that meets every constraint: none in the trust region, or none at all (the QP is
  // then bounded by its ridge alone, and constraints stay broken).
  const std::array<double, kMaxCosts> nearest = NonNegativeQp(p, p.c, kRidge);
  if (Quadratic(p, nearest) >= 2 * p.delta || Broken(p, nearest))
    return Recovery(p, NonNegativeQp(p, p.c, kRecoveryRidge));
  // D'(lambda) = delta - residual / (2 lambda^2) rises with lambda; its zero is the answer.
  const auto slope = [&](double lambda) {
    return p.delta - 0.5 * Residual(p, PricesAt(p, lambda)) / (lambda * lambda);
  };
  double high = std::sqrt(std::max(p.q, kNoGradient) / (2 * p.delta));
  for (int i = 0; i < 200 && slope(high) < 0; ++i) high *= 2;
  // Where the constraints alone fix the step, lambda tends to 0 and any small one gives the same
  // step.
  double low = high * 1e-3;
  for (int i = 0; i < 200 && high / low > 1 + 1e-12; ++i) {
    const double middle = std::sqrt(low * high);
    (slope(middle) < 0 ? low : high) = middle;
  }
  return Finish(p, high);
}

CpoStep SolveCpoDual(const CpoNumbers& numbers) {
  std::array<int, kMaxCosts> kept{};
  const CpoNumbers p = Reduce(numbers, &kept);
  CpoStep small = p.n == 0 ? PlainStep(p) : (p.n == 1 ? SolveSingleDual(p) : SolveQpDual(p));
  CpoStep step = small;
  step.nu.fill(0);
  for (int i = 0; i < p.n; ++i) step.nu[kept[i]] = small.nu[i];
  return step;
}

}  // namespace saferl::learn
