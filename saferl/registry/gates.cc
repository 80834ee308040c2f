#include "saferl/registry/gates.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace saferl::registry {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kLeastRatio = 1.2, kMostRatio = 30.0;
/// Ratios that "not worse" bets on: as good, and better.
constexpr std::array kFine = {1.0, 0.7, 0.4, 0.1};

double LogMeanExp(const double* x, int n) {
  const double most = *std::max_element(x, x + n);
  if (most == -kInf) return -kInf;
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += std::exp(x[i] - most);
  return most + std::log(sum / n);
}

double RatioAt(int i, int n) {
  return kLeastRatio * std::pow(kMostRatio / kLeastRatio, static_cast<double>(i) / (n - 1));
}

/// Probability that an event is the canary's when its rate is `ratio` times the other's.
double ShareAt(double share, double ratio) { return share * ratio / (share * ratio + 1.0 - share); }

/// ln n!; std::lgamma writes its sign to a global that other threads read.
double LogFactorial(double n) {
  int sign = 1;
  return ::lgamma_r(n + 1, &sign);
}

}  // namespace

double BinomialTail(int n, int k, double p) {
  if (k <= 0) return 1.0;
  if (k > n || p <= 0) return 0.0;
  if (p >= 1) return 1.0;
  if (k < n * p) return 1.0 - BinomialTail(n, n - k + 1, 1 - p);  // the shorter tail is exact
  double term = std::exp(LogFactorial(n) - LogFactorial(k) - LogFactorial(n - k) + k * std::log(p) +
                         (n - k) * std::log1p(-p));
  double sum = 0;
  for (int i = k; i <= n && term > 1e-18 * sum; ++i) {
    sum += term;
    term *= static_cast<double>(n - i) / (i + 1) * p / (1 - p);
  }
  return std::min(1.0, sum);
}

RateGate::RateGate(const RateGateOptions& options) : options_(options) {}

void RateGate::BetFixed(int64_t canary, int64_t stable, double share) {
  if (events_ >= options_.horizon || log_fixed_ == -kInf) return;
  if (critical_ == 0) {  // the first event tells the share: least count whose tail is rare enough
    critical_ = 1;
    while (BinomialTail(options_.horizon, critical_, share) > 0.5 * options_.alpha) ++critical_;
    log_fixed_ = 0;
  }
  const int left = options_.horizon - static_cast<int>(events_);
  const int seen = static_cast<int>(canary_events_);
  const auto first = static_cast<int>(std::min<int64_t>(stable, left));
  const auto last = static_cast<int>(std::min<int64_t>(canary, left - first));
  const double now = BinomialTail(left, critical_ - seen, share);
  const double then = BinomialTail(left - first - last, critical_ - seen - last, share);
  log_fixed_ += now > 0 ? std::log(then / now) : -kInf;
}

void RateGate::Events(int64_t canary, int64_t stable, double canary_share) {
  const double w = canary_share;
  if (!(w > 0 && w < 1) || canary < 0 || stable < 0 || canary + stable == 0) return;
  BetFixed(canary, stable, w);
  const auto on = static_cast<double>(canary), off = static_cast<double>(stable);
  for (int i = 0; i < kRatios; ++i) {
    const double p = ShareAt(w, RatioAt(i, kRatios));
    worse_[i] += on * std::log(p / w) + off * std::log((1 - p) / (1 - w));
  }
  const double bad = ShareAt(w, options_.accept_ratio);
  for (int i = 0; i < kFineRatios; ++i) {
    const double p = ShareAt(w, kFine[i]);
    fine_[i] += on * std::log(p / bad) + off * std::log((1 - p) / (1 - bad));
  }
  events_ += canary + stable;
  canary_events_ += canary;
  rejects_ = rejects_ || log_e() >= -std::log(options_.alpha);
}

double RateGate::log_e() const {
  const std::array<double, 2> halves = {LogMeanExp(worse_.data(), kRatios), log_fixed_};
  return LogMeanExp(halves.data(), 2);
}

double RateGate::log_e_fine() const { return LogMeanExp(fine_.data(), kFineRatios); }

bool RateGate::accepts() const {
  return !rejects_ && log_e_fine() >= -std::log(options_.accept_alpha);
}

ShareGate::ShareGate(const ShareGateOptions& options) : options_(options) {
  const double limit = options.limit, good = options.accept_share * options.limit;
  for (int i = 0; i < kShares; ++i) {
    const double up = std::min(0.99, limit * RatioAt(i, kShares));
    above_bad_[i] = std::log(up / limit);
    above_good_[i] = std::log((1 - up) / (1 - limit));
    const double down = good / RatioAt(i, kShares);
    below_bad_[i] = std::log(down / good);
    below_good_[i] = std::log((1 - down) / (1 - good));
  }
}

void ShareGate::Add(bool bad) {
  for (int i = 0; i < kShares; ++i) {
    above_[i] += bad ? above_bad_[i] : above_good_[i];
    below_[i] += bad ? below_bad_[i] : below_good_[i];
  }
  ++count_;
  rejects_ = rejects_ || log_e() >= -std::log(options_.alpha);
}

double ShareGate::log_e() const { return LogMeanExp(above_.data(), kShares); }

bool ShareGate::accepts() const {
  return !rejects_ && LogMeanExp(below_.data(), kShares) >= -std::log(options_.accept_alpha);
}

double RateUpperBound(int64_t events, double exposure, double confidence) {
  if (!(exposure > 0) || events < 0) return kInf;
  const auto at_most = [&](double mean) {  // P(N <= events) of a Poisson count
    double term = -mean, sum = std::exp(term);
    for (int64_t k = 1; k <= events; ++k) {
      term += std::log(mean / static_cast<double>(k));
      sum += std::exp(term);
    }
    return sum;
  };
  double low = 0, high = static_cast<double>(events) + 10;
  while (at_most(high) > 1 - confidence) high *= 2;
  for (int i = 0; i < 100; ++i) {
    const double middle = 0.5 * (low + high);
    (at_most(middle) > 1 - confidence ? low : high) = middle;
  }
  return high / exposure;
}

}  // namespace saferl::registry
