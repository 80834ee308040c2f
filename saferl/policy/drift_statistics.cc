#include "saferl/policy/drift_statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace saferl::policy {
namespace {

constexpr size_t kRuns = 16;  // in which a stream's blocks are taken together

double LogGamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

/// The continued fraction of the incomplete beta function, for x below (a + 1) / (a + b + 2).
/// Source: Abramowitz & Stegun 26.5.8, evaluated by Lentz's method.
double BetaFraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  const auto away = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1, d = 1 / away(1 - (a + b) * x / (a + 1)), result = d;
  for (int m = 1; m <= 500; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    result *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    result *= d * c;
    if (std::abs(d * c - 1) < 1e-14) break;
  }
  return result;
}

/// I_x(a, b).
double IncompleteBeta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front =
      std::exp(LogGamma(a + b) - LogGamma(a) - LogGamma(b) + a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return front * BetaFraction(a, b, x) / a;
  return 1 - front * BetaFraction(b, a, 1 - x) / b;
}

/// Of the mean, from sums of deviations over runs of blocks. Its degrees of freedom are one less
/// than the runs.
struct RunVariance {
  double variance = 0, dof = 0;
};
RunVariance VarianceOfRuns(std::span<const double> values, std::span<const int> previous,
                           double mean) {
  const size_t longest = std::max<size_t>(1, values.size() / kRuns);
  std::vector<size_t> run_of(values.size()), length;
  std::vector<double> sum;
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t before = previous[i] < 0 ? 0 : run_of[static_cast<size_t>(previous[i])];
    run_of[i] = previous[i] < 0 || length[before] == longest ? sum.size() : before;
    if (run_of[i] == sum.size()) {
      sum.push_back(0);
      length.push_back(0);
    }
    sum[run_of[i]] += values[i] - mean;
    ++length[run_of[i]];
  }
  if (sum.size() < 2) return {};
  const auto runs = static_cast<double>(sum.size()), n = static_cast<double>(values.size());
  const double squares = std::inner_product(sum.begin(), sum.end(), sum.begin(), 0.0);
  return {squares / (n * n) * runs / (runs - 1), runs - 1};
}

}  // namespace

MeanEstimate EstimateMean(std::span<const double> values, std::span<const int> previous,
                          double most_correlation) {
  MeanEstimate e;
  const auto n = static_cast<double>(values.size());
  e.variance = std::numeric_limits<double>::infinity();
  if (values.empty()) return e;
  e.mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  e.effective = 1;
  if (values.size() < 2) return e;
  double squares = 0, products = 0;
  int pairs = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    squares += (values[i] - e.mean) * (values[i] - e.mean);
    if (previous[i] < 0) continue;
    products += (values[i] - e.mean) * (values[static_cast<size_t>(previous[i])] - e.mean);
    ++pairs;
  }
  if (pairs > 1 && squares > 0) {
    const double r = products / pairs / (squares / n);
    e.correlation = std::clamp(r + (1 + 3 * r) / pairs, 0.0, most_correlation);
  }
  e.effective = std::max(1.0, n * (1 - e.correlation) / (1 + e.correlation));
  e.variance = squares / (n - 1) / e.effective;
  e.dof = std::max(1.0, e.effective / 3);
  const RunVariance runs = VarianceOfRuns(values, previous, e.mean);
  if (most_correlation > 0 && runs.variance > e.variance) {
    e.variance = runs.variance;
    e.dof = runs.dof;
  }
  return e;
}

double StudentUpperTail(double t, double dof) {
  if (std::isnan(t)) return 1;
  const double tail = 0.5 * IncompleteBeta(0.5 * dof, 0.5, dof / (dof + t * t));
  return t >= 0 ? tail : 1 - tail;
}

double ShiftPValue(double t, double most, double dof) {
  const double size = std::abs(t);
  return std::min(1.0, StudentUpperTail(size - most, dof) + StudentUpperTail(size + most, dof));
}

double SignPValue(int k, int n) {
  double p = 0;
  for (int i = k; i <= n; ++i)
    p += std::exp(LogGamma(n + 1) - LogGamma(i + 1) - LogGamma(n - i + 1) - n * std::log(2.0));
  return std::min(1.0, p);
}

void BenjaminiHochberg(std::span<double> p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, [&](size_t a, size_t b) { return p[a] < p[b]; });
  double least = 1;
  for (size_t k = order.size(); k-- > 0;) {
    least =
        std::min(least, p[order[k]] * static_cast<double>(p.size()) / static_cast<double>(k + 1));
    p[order[k]] = least;
  }
}

}  // namespace saferl::policy
