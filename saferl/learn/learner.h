#pragma once
// The two networks under training and the passes over a batch that every algorithm is made of.
//
//   actor    Gaussian policy (gaussian_policy.h)
//   critic   one MLP with a head per objective (reward, costs); each head in its own scale:
//            value_k = mean_k + scale_k * y_k, rescaled without changing the values when scale_k
//            moves
//
// Determinism: a pass splits its samples into kShards fixed parts; threads work on parts, parts are
// added in order. Shapes: as batch.h. RT: no. Errors: none; non-finite gradients are refused by
// Adam. Source: value scaling: van Hasselt et al., "Learning values across many orders of
// magnitude" (2016), Pop-Art.

#include <array>
#include <functional>
#include <span>
#include <vector>

#include "saferl/learn/adam.h"
#include "saferl/learn/batch.h"
#include "saferl/learn/gaussian_policy.h"
#include "saferl/learn/parallel.h"

namespace saferl::learn {

inline constexpr int kShards = 16;

/// Means over a batch, at given actor parameters against the policy that acted.
struct SurrogateValues {
  std::array<double, kMaxObjectives> surrogate{};  ///< mean of ratio * advantage column
  double kl = 0;                                   ///< mean KL(acted || now)
  double entropy = 0;
};

/// Result of one clipped-surrogate gradient.
struct ClipStats {
  double surrogate = 0;  ///< mean of min(ratio A, clip(ratio) A)
  double approx_kl = 0;  ///< mean of (ratio - 1) - log ratio
  double clipped = 0;    ///< share of samples whose gradient the clip cut off
};

class Learner {
 public:
  /// hidden = widths of the hidden layers of both networks.
  Learner(int n_obs, int n_act, int n_objectives, const std::vector<int>& hidden,
          double start_log_std, uint64_t seed, Parallel* parallel);

  const GaussianPolicy& policy() const { return policy_; }
  const Mlp& critic() const { return critic_; }
  Parallel& parallel() const { return *parallel_; }

  // State: all that a checkpoint has to keep.
  std::vector<float> actor_params, critic_params;
  Adam actor_adam, critic_adam;
  std::array<double, kMaxObjectives> value_mean{}, value_scale{};

  /// A tile for policy().mlp() that belongs to `thread`.
  MlpTile* actor_tile(int thread) { return &actor_tiles_[thread]; }

  /// Values of `rows` observations (rows x n_obs) -> out (rows x objectives), in the objectives'
  /// own units.
  void Values(std::span<const float> obs, int rows, std::span<float> out);
  /// Moves the heads' scale to the batch's targets, keeping every value as it was.
  void RescaleValues(const Batch& batch);
  /// Mean squared error (in head units) over the samples `index`; writes its gradient.
  double ValueGradient(const Batch& batch, std::span<const int> index, std::span<float> grad);

  /// Gradient of minus the clipped surrogate minus entropy_weight * entropy, over the samples
  /// `index`.
  ClipStats ClippedGradient(const Batch& batch, std::span<const float> advantage,
                            std::span<const int> index, double clip, double entropy_weight,
                            std::span<float> grad);
  /// d/d params of mean(advantage * log pi) over the whole batch: the policy gradient at the acting
  /// policy.
  void PolicyGradient(const Batch& batch, std::span<const float> advantage, std::span<float> grad);
  /// (F + damping I) direction, F the mean Fisher matrix over every `stride`-th sample.
  void FisherProduct(const Batch& batch, std::span<const float> direction, double damping,
                     int stride, std::span<float> product);
  /// Surrogates of all advantage columns and the KL at `params`.
  SurrogateValues Evaluate(const Batch& batch, std::span<const float> params);

 private:
  struct Shard {
    std::vector<float> grad;
    std::array<double, 8> sum{};
  };
  /// Calls fn(thread, sample indices of one tile, shard) over all tiles; index empty = all n
  /// samples.
  using TileFn = std::function<void(int thread, std::span<const int> samples, Shard* shard)>;
  std::array<double, 8> Pass(std::span<const int> index, int grad_size, std::span<float> grad,
                             const TileFn& fn);
  void Load(std::span<const float> obs, int n_obs, std::span<const int> samples, float* tile) const;

  GaussianPolicy policy_;
  Mlp critic_;
  Parallel* parallel_;
  std::vector<MlpTile> actor_tiles_, critic_tiles_;
  std::array<Shard, kShards> shards_;
  std::vector<int> all_;
  std::span<const int> All(int n, int stride);
};

}  // namespace saferl::learn
