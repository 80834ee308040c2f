#include "saferl/learn/cpo.h"

#include <algorithm>
#include <cmath>

#include "saferl/learn/advantages.h"
#include "saferl/learn/cpo_dual.h"
#include "saferl/learn/ppo.h"

namespace saferl::learn {
namespace {

double Dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

void AddScaled(double scale, std::span<const float> x, std::span<float> y) {
  for (size_t i = 0; i < x.size(); ++i) y[i] += static_cast<float>(scale * x[i]);
}

}  // namespace

std::vector<float> ConjugateGradient(
    const std::function<void(std::span<const float>, std::span<float>)>& product,
    std::span<const float> rhs, int iterations) {
  constexpr double kTolerance = 1e-12;  // of the squared residual, relative
  std::vector<float> x(rhs.size()), residual(rhs.begin(), rhs.end()), p = residual, hp(rhs.size());
  const double start = Dot(residual, residual);
  double rr = start;
  for (int i = 0; i < iterations && rr > kTolerance * start; ++i) {
    product(p, hp);
    const double curvature = Dot(p, hp);
    if (!(curvature > 0)) break;
    const double alpha = rr / curvature;
    AddScaled(alpha, p, x);
    AddScaled(-alpha, hp, residual);
    const double next = Dot(residual, residual);
    const double beta = next / rr;
    for (size_t j = 0; j < p.size(); ++j) p[j] = residual[j] + static_cast<float>(beta) * p[j];
    rr = next;
  }
  return x;
}

double Tightened(double before, double correction, double cost, double limit) {
  return std::clamp(before + correction * (cost - limit), 0.0, limit);
}

/// Gradients, their images under H^-1 and the numbers of the dual.
struct Cpo::Directions {
  std::vector<float> solved_g;                         ///< H^-1 g
  std::array<std::vector<float>, kMaxCosts> solved_b;  ///< H^-1 b_k
  CpoNumbers numbers;
};

void Cpo::Absorb(const EpisodeStats& episodes) {
  if (episodes.episodes == 0) return;
  const double keep = started_ ? config_.smoothing : 0.0;
  for (int k = 0; k < limits_.n; ++k)
    cost_[k] = keep * cost_[k] + (1 - keep) * episodes.mean_cost[k];
  length_ = keep * length_ + (1 - keep) * episodes.mean_length;
  for (int k = 0; k < limits_.n; ++k)
    tightened_[k] = Tightened(tightened_[k], config_.correction, cost_[k], limits_.limit[k]);
  started_ = true;
}

UpdateInfo Cpo::Update(const Batch& batch, double progress, Learner* learner, Random* random) {
  UpdateInfo info;
  Absorb(batch.episodes);
  const size_t n = batch.n();
  Directions d;
  d.numbers.n = limits_.n;
  d.numbers.delta = config_.target_kl;
  const auto product = [&](std::span<const float> v, std::span<float> out) {
    learner->FisherProduct(batch, v, config_.damping, config_.fisher_stride, out);
  };
  std::vector<float> g(learner->policy().n_params());
  std::vector<float> reward_advantage(n);
  Standardise(std::span(batch.advantage).first(n), true, reward_advantage);
  learner->PolicyGradient(batch, reward_advantage, g);
  d.solved_g = ConjugateGradient(product, g, config_.cg_iterations);
  d.numbers.q = Dot(g, d.solved_g);
  std::array<std::vector<float>, kMaxCosts> b;
  for (int k = 0; k < limits_.n; ++k) {
    b[k].resize(g.size());
    learner->PolicyGradient(batch, std::span(batch.advantage).subspan((1 + k) * n, n), b[k]);
    d.solved_b[k] = ConjugateGradient(product, b[k], config_.cg_iterations);
    d.numbers.r[k] = Dot(b[k], d.solved_g);
    d.numbers.c[k] = (cost_[k] - limits_.limit[k] + tightened_[k]) / std::max(1.0, length_);
  }
  for (int k = 0; k < limits_.n; ++k)  // symmetric even though conjugate gradients stop early
    for (int l = 0; l < limits_.n; ++l)
      d.numbers.s[k][l] = 0.5 * (Dot(b[k], d.solved_b[l]) + Dot(b[l], d.solved_b[k]));

  Step(batch, d, learner, &info);
  const double schedule = 1.0 + (config_.final_rate - 1.0) * progress;
  info.value_loss =
      FitValues(batch, config_.value_epochs, config_.minibatch, config_.critic_rate * schedule,
                config_.max_grad_norm, learner, random);
  return info;
}

void Cpo::Step(const Batch& batch, const Directions& d, Learner* learner, UpdateInfo* info) const {
  const CpoStep dual = SolveCpoDual(d.numbers);
  std::vector<float> x(learner->actor_params.size());
  if (dual.feasible && dual.lambda > 0) AddScaled(1 / dual.lambda, d.solved_g, x);
  for (int k = 0; k < limits_.n; ++k) {
    const double weight = dual.feasible ? (dual.lambda > 0 ? dual.nu[k] / dual.lambda : 0.0)
                                        : dual.recovery * dual.nu[k];
    AddScaled(-weight, d.solved_b[k], x);
    info->multiplier[k] = dual.nu[k];
  }
  info->recovery = !dual.feasible;

  const SurrogateValues before = learner->Evaluate(batch, learner->actor_params);
  const std::vector<float> start = learner->actor_params;
  std::vector<float> candidate(start.size());
  double scale = 1;
  for (int tries = 0; tries <= config_.max_backtracks; ++tries, scale *= config_.backtrack) {
    candidate = start;
    AddScaled(scale, x, candidate);
    learner->policy().ClampLogStd(candidate);
    const SurrogateValues now = learner->Evaluate(batch, candidate);
    bool good = std::isfinite(now.kl) && now.kl <= 1.5 * config_.target_kl;
    good = good && (!dual.feasible || now.surrogate[0] >= before.surrogate[0]);
    for (int k = 0; k < limits_.n; ++k) {
      const double rise = now.surrogate[1 + k] - before.surrogate[1 + k];
      good = good && rise <= std::max(-d.numbers.c[k], 0.0) + 1e-12;
    }
    if (!good) continue;
    learner->actor_params = candidate;
    info->kl = now.kl;
    info->entropy = now.entropy;
    info->backtracks = tries;
    return;
  }
  info->backtracks = -1;
  info->entropy = before.entropy;
}

std::vector<double> Cpo::State() const {
  std::vector<double> state{started_ ? 1.0 : 0.0, length_};
  state.insert(state.end(), cost_.begin(), cost_.end());
  state.insert(state.end(), tightened_.begin(), tightened_.end());
  return state;
}

void Cpo::SetState(const std::vector<double>& state) {
  started_ = state[0] != 0;
  length_ = state[1];
  std::copy_n(state.begin() + 2, kMaxCosts, cost_.begin());
  std::copy_n(state.begin() + 2 + kMaxCosts, kMaxCosts, tightened_.begin());
}

}  // namespace saferl::learn
