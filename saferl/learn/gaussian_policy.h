#pragma once
// Gaussian policy N(mu(o), diag(exp(2 log_std))) with an MLP mean and a state-independent
// deviation. All parameters in one flat vector: MLP, then log_std (n_act). Works on one tile at a
// time; passes over whole batches are in learner.h.
//
//   log pi = sum_i -1/2 ((a_i - mu_i) / s_i)^2 - log s_i - 1/2 log 2 pi
//   Fisher v = J' diag(1/s^2) J v  (mean part)  and  2 v  (log_std part): the Hessian of KL(old ||
//   new) at old.
//
// Shapes: actions (width x n_act) row-major; means feature-major tile (n_act x kTile).
// RT: no (training). Errors: none; NaN in gives NaN out.
// Source: Schulman et al., TRPO (2015), appendix C (Fisher-vector products).

#include <span>
#include <vector>

#include "saferl/learn/mlp.h"

namespace saferl::learn {

inline constexpr float kMinLogStd = -3.0F, kMaxLogStd = 0.5F;

class GaussianPolicy {
 public:
  GaussianPolicy() = default;
  explicit GaussianPolicy(std::vector<int> sizes, const Kernels& kernels = BestKernels())
      : mlp_(std::move(sizes), kernels) {}

  const Mlp& mlp() const { return mlp_; }
  int n_act() const { return mlp_.n_out(); }
  int n_params() const { return mlp_.n_params() + n_act(); }
  std::span<const float> log_std(std::span<const float> params) const {
    return params.subspan(mlp_.n_params(), n_act());
  }
  std::span<float> log_std(std::span<float> params) const {
    return params.subspan(mlp_.n_params(), n_act());
  }

  void Initialise(std::span<float> params, Random* random, double start_log_std) const;
  /// Keeps log_std inside [kMinLogStd, kMaxLogStd].
  void ClampLogStd(std::span<float> params) const;

  /// log pi of `action` (n_act) at sample `column` of a tile after Forward.
  float LogProb(std::span<const float> params, const MlpTile& tile, int column,
                const float* action) const;

  /// Adds sum_j weight[j] * d(log pi_j)/d params to grad. `actions` row pointers (width).
  void AddLogProbGradient(std::span<const float> params, std::span<const float* const> actions,
                          std::span<const float> weight, MlpTile* tile,
                          std::span<float> grad) const;

  /// Adds sum_j F_j direction to product (after Forward; MLP part by R-op and back-propagation).
  void AddFisherProduct(std::span<const float> params, std::span<const float> direction,
                        MlpTile* tile, std::span<float> product) const;

  /// KL(old || new) at one sample; old given by its mean (n_act) and log_std (n_act).
  double Kl(std::span<const float> params, const MlpTile& tile, int column, const float* old_mean,
            std::span<const float> old_log_std) const;

 private:
  Mlp mlp_;
};

}  // namespace saferl::learn
