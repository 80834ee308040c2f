#include "saferl/learn/ppo.h"

#include <algorithm>
#include <numeric>

#include "saferl/learn/advantages.h"

namespace saferl::learn {
namespace {

void Shuffle(std::vector<int>* order, Random* random) {
  for (int i = static_cast<int>(order->size()) - 1; i > 0; --i)
    std::swap((*order)[i], (*order)[random->Index(i + 1)]);
}

std::vector<int> Ordered(int n) {
  std::vector<int> order(n);
  std::iota(order.begin(), order.end(), 0);
  return order;
}

}  // namespace

const char* Name(AlgorithmId id) {
  switch (id) {
    case AlgorithmId::kPpo:
      return "ppo";
    case AlgorithmId::kPpoPid:
      return "ppo_pid";
    case AlgorithmId::kCpo:
      return "cpo";
  }
  return "unknown";
}

std::vector<float> PricedAdvantage(const Batch& batch, const std::array<double, kMaxCosts>& price) {
  const size_t n = batch.n();
  std::vector<float> advantage(batch.advantage.begin(),
                               batch.advantage.begin() + static_cast<ptrdiff_t>(n));
  for (int k = 0; k < batch.n_costs; ++k) {
    const auto p = static_cast<float>(price[k]);
    const float* cost = batch.advantage.data() + (1 + k) * n;
    for (size_t s = 0; s < n; ++s) advantage[s] -= p * cost[s];
  }
  Standardise(advantage, true, advantage);
  return advantage;
}

double FitValues(const Batch& batch, int epochs, int minibatch, double rate, double max_grad_norm,
                 Learner* learner, Random* random) {
  std::vector<int> order = Ordered(batch.n());
  std::vector<float> grad(learner->critic().n_params());
  double loss = 0;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    Shuffle(&order, random);
    loss = 0;
    int parts = 0;
    for (int begin = 0; begin < batch.n(); begin += minibatch, ++parts) {
      const auto index = std::span(order).subspan(begin, std::min(minibatch, batch.n() - begin));
      loss += learner->ValueGradient(batch, index, grad);
      learner->critic_adam.Update(learner->critic_params, grad, rate, max_grad_norm);
    }
    loss /= parts;
  }
  return loss;
}

void PpoUpdate(const PpoConfig& config, const Batch& batch, std::span<const float> advantage,
               double progress, Learner* learner, Random* random, UpdateInfo* info) {
  const double schedule = 1.0 + (config.final_rate - 1.0) * progress;
  std::vector<int> order = Ordered(batch.n());
  std::vector<float> grad(learner->policy().n_params());
  bool stopped = false;
  for (int epoch = 0; epoch < config.epochs && !stopped; ++epoch) {
    Shuffle(&order, random);
    ClipStats total;
    int parts = 0;
    for (int begin = 0; begin < batch.n(); begin += config.minibatch, ++parts) {
      const auto index =
          std::span(order).subspan(begin, std::min(config.minibatch, batch.n() - begin));
      const ClipStats stats = learner->ClippedGradient(batch, advantage, index, config.clip,
                                                       config.entropy_weight, grad);
      learner->actor_adam.Update(learner->actor_params, grad, config.actor_rate * schedule,
                                 config.max_grad_norm);
      learner->policy().ClampLogStd(learner->actor_params);
      total.approx_kl += stats.approx_kl;
      total.clipped += stats.clipped;
    }
    info->kl = total.approx_kl / parts;
    info->clipped = total.clipped / parts;
    stopped = info->kl > 1.5 * config.target_kl;
  }
  info->value_loss =
      FitValues(batch, config.epochs, config.minibatch, config.critic_rate * schedule,
                config.max_grad_norm, learner, random);
}

UpdateInfo Ppo::Update(const Batch& batch, double progress, Learner* learner, Random* random) {
  UpdateInfo info;
  info.multiplier = penalty_;
  PpoUpdate(config_, batch, PricedAdvantage(batch, penalty_), progress, learner, random, &info);
  return info;
}

}  // namespace saferl::learn
