#pragma once
// PPO: minibatch Adam on the clipped surrogate, early stop on the KL, value regression beside it.
//
//   max_theta  mean min(rho A, clip(rho, 1 - e, 1 + e) A),   rho = pi_theta / pi_acted
//
// With `penalty` > 0 the advantage is A_r - sum_k penalty_k A_k: a fixed price for each cost, the
// usual way to make plain PPO careful. PPO-Lagrangian (ppo_lagrangian.h) finds that price by
// itself. RT: no. Errors: none. Cost: epochs * n samples forward and backward through both
// networks. Source: Schulman et al., "Proximal policy optimization algorithms" (2017), eq. 7.

#include "saferl/learn/algorithm.h"

namespace saferl::learn {

struct PpoConfig {
  int epochs = 6;
  int minibatch = 1024;  ///< samples
  double clip = 0.2;
  double target_kl = 0.02;  ///< the remaining epochs are left out beyond 1.5 times this
  double actor_rate = 1e-3, critic_rate = 1e-3;  ///< Adam's learning rates at the start
  double final_rate = 0.1;                       ///< share of them at the end, linear between
  double entropy_weight = 1e-3;
  double max_grad_norm = 1.0;

  template <class V>
  static void Visit(V& v, PpoConfig& s) {
    v.Field("epochs", s.epochs, {.doc = "passes over each batch", .min = 1, .max = 1000});
    v.Field("minibatch", s.minibatch, {.doc = "samples per gradient step", .min = 1, .max = 1e7});
    v.Field("clip", s.clip, {.doc = "clip range of the probability ratio", .min = 0.01, .max = 1});
    v.Field("target_kl", s.target_kl,
            {.doc = "stop a batch's epochs beyond 1.5 times this", .min = 1e-5, .max = 10});
    v.Field("actor_rate", s.actor_rate, {.doc = "learning rate of the policy", .min = 0, .max = 1});
    v.Field("critic_rate", s.critic_rate,
            {.doc = "learning rate of the values", .min = 0, .max = 1});
    v.Field("final_rate", s.final_rate,
            {.doc = "share of the learning rates left at the end", .min = 0, .max = 1});
    v.Field("entropy_weight", s.entropy_weight,
            {.doc = "reward for exploring", .min = 0, .max = 1});
    v.Field("max_grad_norm", s.max_grad_norm,
            {.doc = "gradients are shortened to this", .min = 1e-6, .max = 1e6});
  }
};

/// Policy epochs on the standardised `advantage` (n), then value epochs. Used by PPO and
/// PPO-Lagrangian.
void PpoUpdate(const PpoConfig& config, const Batch& batch, std::span<const float> advantage,
               double progress, Learner* learner, Random* random, UpdateInfo* info);

/// `epochs` of minibatch regression of the critic; returns the last epoch's mean loss. Used by all
/// algorithms.
double FitValues(const Batch& batch, int epochs, int minibatch, double rate, double max_grad_norm,
                 Learner* learner, Random* random);

/// A_r - sum_k price_k A_k, standardised.
std::vector<float> PricedAdvantage(const Batch& batch, const std::array<double, kMaxCosts>& price);

class Ppo final : public Algorithm {
 public:
  Ppo(const PpoConfig& config, const std::array<double, kMaxCosts>& penalty)
      : config_(config), penalty_(penalty) {}
  AlgorithmId id() const override { return AlgorithmId::kPpo; }
  UpdateInfo Update(const Batch& batch, double progress, Learner* learner, Random* random) override;

 private:
  PpoConfig config_;
  std::array<double, kMaxCosts> penalty_;
};

}  // namespace saferl::learn
