#pragma once
// CPO: one trust-region step per batch that improves the return while every cost stays (to first
// order) at its limit.
//
//   x = argmax g'x  s.t. 1/2 x'H x <= delta,  (J_k - d_k) / T + b_k'x <= 0        cpo_dual.h
//   H: mean Fisher matrix, H^-1 by conjugate gradients; then a backtracking line search on KL,
//   return and costs.
//
// J_k: mean episode cost; T: mean episode length, because surrogates are means per step. With no
// feasible x the step reduces costs alone (recovery). Limits may be 0.
//
// The first-order promise is too good: the step also fits the noise of its own batch, and of a
// sparse cost most of that fit does not come true. So d_k is the limit less an integral of the
// excess that stays (`correction`), between 0 and the limit.
//
// RT: no. Errors: none; when the line search finds nothing the policy stays as it was (backtracks =
// -1). Source: Achiam et al., "Constrained policy optimization" (2017), algorithm 1; TRPO (2015)
// appendix C; the integral is ours.

#include "saferl/learn/algorithm.h"

namespace saferl::learn {

struct CpoConfig {
  double target_kl = 0.03;  ///< delta
  int cg_iterations = 12;
  double damping = 0.05;  ///< added to the Fisher matrix's diagonal
  int fisher_stride = 4;  ///< every n-th sample makes up the Fisher matrix
  int max_backtracks = 12;
  double backtrack = 0.7;  ///< step factor of each one
  int value_epochs = 8;
  int minibatch = 1024;
  double critic_rate = 1e-3, max_grad_norm = 1.0;
  double final_rate = 0.1;  ///< of the critic's learning rate at the end
  double smoothing = 0.5;   ///< share of the old value kept by the smoothed episode cost
  double correction = 0.1;  ///< of a lasting excess, taken off the aim per iteration

  template <class V>
  static void Visit(V& v, CpoConfig& s) {
    v.Field("target_kl", s.target_kl, {.doc = "trust region", .min = 1e-6, .max = 10});
    v.Field("cg_iterations", s.cg_iterations,
            {.doc = "conjugate gradient steps", .min = 1, .max = 1000});
    v.Field("damping", s.damping,
            {.doc = "added to the Fisher matrix's diagonal", .min = 0, .max = 100});
    v.Field("fisher_stride", s.fisher_stride,
            {.doc = "every n-th sample makes up the Fisher matrix", .min = 1, .max = 1000});
    v.Field("max_backtracks", s.max_backtracks,
            {.doc = "steps of the line search", .min = 0, .max = 100});
    v.Field("backtrack", s.backtrack, {.doc = "step factor of each", .min = 0.01, .max = 0.99});
    v.Field("value_epochs", s.value_epochs,
            {.doc = "passes of the value regression", .min = 1, .max = 1000});
    v.Field("minibatch", s.minibatch,
            {.doc = "samples per gradient step of the values", .min = 1, .max = 1e7});
    v.Field("critic_rate", s.critic_rate,
            {.doc = "learning rate of the values", .min = 0, .max = 1});
    v.Field("max_grad_norm", s.max_grad_norm,
            {.doc = "gradients are shortened to this", .min = 1e-6, .max = 1e6});
    v.Field("final_rate", s.final_rate,
            {.doc = "share of the learning rate left at the end", .min = 0, .max = 1});
    v.Field("smoothing", s.smoothing,
            {.doc = "share of the old value in the smoothed cost", .min = 0, .max = 0.999});
    v.Field(
        "correction", s.correction,
        {.doc = "share of a lasting excess taken off the aim per iteration", .min = 0, .max = 1});
  }
};

/// Solves (product) x = rhs; returns x. `product` must be symmetric positive definite.
std::vector<float> ConjugateGradient(
    const std::function<void(std::span<const float>, std::span<float>)>& product,
    std::span<const float> rhs, int iterations);

/// How much tighter the next step's limit is, after one more measured cost: an integral of the
/// excess, never below 0 nor beyond the limit itself.
double Tightened(double before, double correction, double cost, double limit);

class Cpo final : public Algorithm {
 public:
  Cpo(const CpoConfig& config, const CostLimits& limits) : config_(config), limits_(limits) {}
  AlgorithmId id() const override { return AlgorithmId::kCpo; }
  UpdateInfo Update(const Batch& batch, double progress, Learner* learner, Random* random) override;
  void SetLimits(const CostLimits& limits) override { limits_ = limits; }
  std::vector<double> State() const override;
  void SetState(const std::vector<double>& state) override;

 private:
  struct Directions;
  void Absorb(const EpisodeStats& episodes);
  void Step(const Batch& batch, const Directions& directions, Learner* learner,
            UpdateInfo* info) const;

  CpoConfig config_;
  CostLimits limits_;
  bool started_ = false;
  std::array<double, kMaxCosts> cost_{};       ///< smoothed mean episode cost
  std::array<double, kMaxCosts> tightened_{};  ///< aim = limit - this, in [0, limit]
  double length_ = 1;                          ///< mean episode length [steps]
};

}  // namespace saferl::learn
