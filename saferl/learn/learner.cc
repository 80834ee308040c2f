#include "saferl/learn/learner.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace saferl::learn {
namespace {

std::vector<int> Sizes(int in, const std::vector<int>& hidden, int out) {
  std::vector<int> sizes{in};
  sizes.insert(sizes.end(), hidden.begin(), hidden.end());
  sizes.push_back(out);
  return sizes;
}

constexpr double kMaxLogRatio = 20;  // exp of more overflows float; such a sample is clipped anyway

}  // namespace

Learner::Learner(int n_obs, int n_act, int n_objectives, const std::vector<int>& hidden,
                 double start_log_std, uint64_t seed, Parallel* parallel)
    : policy_(Sizes(n_obs, hidden, n_act)),
      critic_(Sizes(n_obs, hidden, n_objectives)),
      parallel_(parallel) {
  Random random(seed, 0xac70);
  actor_params.resize(policy_.n_params());
  policy_.Initialise(actor_params, &random, start_log_std);
  critic_params.resize(critic_.n_params());
  critic_.Initialise(critic_params, &random, 0.1);
  actor_adam = Adam(policy_.n_params());
  critic_adam = Adam(critic_.n_params());
  value_scale.fill(1.0);
  for (int t = 0; t < parallel->threads(); ++t) {
    actor_tiles_.push_back(policy_.mlp().MakeTile());
    critic_tiles_.push_back(critic_.MakeTile());
  }
}

void Learner::Load(std::span<const float> obs, int n_obs, std::span<const int> samples,
                   float* tile) const {
  const int width = static_cast<int>(samples.size());
  for (int j = 0; j < width; ++j) {
    const float* row = obs.data() + static_cast<size_t>(samples[j]) * n_obs;
    for (int i = 0; i < n_obs; ++i) tile[i * kTile + j] = row[i];
  }
  for (int j = width; j < RoundUp(width); ++j)
    for (int i = 0; i < n_obs; ++i) tile[i * kTile + j] = 0.0F;
}

std::span<const int> Learner::All(int n, int stride) {
  all_.resize((n + stride - 1) / stride);
  for (size_t i = 0; i < all_.size(); ++i) all_[i] = static_cast<int>(i) * stride;
  return all_;
}

std::array<double, 8> Learner::Pass(std::span<const int> index, int grad_size,
                                    std::span<float> grad, const TileFn& fn) {
  const int tiles = (static_cast<int>(index.size()) + kTile - 1) / kTile;
  const int shards = std::min(kShards, tiles);
  parallel_->For(shards, [&](int s, int thread) {
    Shard& shard = shards_[s];
    shard.grad.assign(grad_size, 0.0F);
    shard.sum.fill(0.0);
    for (int tile = tiles * s / shards; tile < tiles * (s + 1) / shards; ++tile) {
      const size_t begin = static_cast<size_t>(tile) * kTile;
      fn(thread, index.subspan(begin, std::min<size_t>(kTile, index.size() - begin)), &shard);
    }
  });
  std::array<double, 8> total{};
  std::ranges::fill(grad, 0.0F);
  for (int s = 0; s < shards; ++s) {
    for (int i = 0; i < grad_size; ++i) grad[i] += shards_[s].grad[i];
    for (size_t i = 0; i < total.size(); ++i) total[i] += shards_[s].sum[i];
  }
  return total;
}

void Learner::Values(std::span<const float> obs, int rows, std::span<float> out) {
  const int k = critic_.n_out();
  Pass(All(rows, 1), 0, {}, [&](int thread, std::span<const int> samples, Shard*) {
    MlpTile& tile = critic_tiles_[thread];
    Load(obs, critic_.n_in(), samples, tile.input());
    critic_.Forward(critic_params, static_cast<int>(samples.size()), &tile);
    for (size_t j = 0; j < samples.size(); ++j)
      for (int i = 0; i < k; ++i)
        out[static_cast<size_t>(samples[j]) * k + i] =
            static_cast<float>(value_mean[i] + value_scale[i] * tile.output()[i * kTile + j]);
  });
}

void Learner::RescaleValues(const Batch& batch) {
  constexpr double kRate = 0.2, kFloor = 1e-3;
  const int k = critic_.n_out(), hidden = critic_.sizes()[critic_.sizes().size() - 2];
  float* w = critic_params.data() + critic_.weight_offset(critic_.n_layers() - 1);
  for (int i = 0; i < k; ++i) {
    double sum = 0, sum2 = 0;
    for (int s = 0; s < batch.n(); ++s) sum += batch.target[static_cast<size_t>(s) * k + i];
    const double mean = sum / batch.n();
    for (int s = 0; s < batch.n(); ++s) {
      const double d = batch.target[static_cast<size_t>(s) * k + i] - mean;
      sum2 += d * d;
    }
    const double old_scale = value_scale[i], old_mean = value_mean[i];
    value_mean[i] += kRate * (mean - value_mean[i]);
    value_scale[i] += kRate * (std::max(kFloor, std::sqrt(sum2 / batch.n())) - value_scale[i]);
    const double ratio = old_scale / value_scale[i];
    for (int j = 0; j < hidden; ++j)
      w[i * hidden + j] = static_cast<float>(w[i * hidden + j] * ratio);
    float& bias = w[k * hidden + i];
    bias = static_cast<float>((old_scale * bias + old_mean - value_mean[i]) / value_scale[i]);
  }
}

double Learner::ValueGradient(const Batch& batch, std::span<const int> index,
                              std::span<float> grad) {
  const int k = critic_.n_out();
  const float share = 1.0F / static_cast<float>(index.size());
  const auto total = Pass(
      index, critic_.n_params(), grad, [&](int thread, std::span<const int> samples, Shard* shard) {
        MlpTile& tile = critic_tiles_[thread];
        Load(batch.obs, batch.n_obs, samples, tile.input());
        critic_.Forward(critic_params, static_cast<int>(samples.size()), &tile);
        std::array<float, kMaxObjectives * kTile> d_output{};
        for (size_t j = 0; j < samples.size(); ++j) {
          for (int i = 0; i < k; ++i) {
            const double target =
                (batch.target[static_cast<size_t>(samples[j]) * k + i] - value_mean[i]) /
                value_scale[i];
            const float error = tile.output()[i * kTile + j] - static_cast<float>(target);
            shard->sum[0] += static_cast<double>(error) * error;
            d_output[i * kTile + j] = 2 * error * share;
          }
        }
        critic_.Backward(critic_params, d_output.data(), &tile, shard->grad);
      });
  return total[0] * share;
}

ClipStats Learner::ClippedGradient(const Batch& batch, std::span<const float> advantage,
                                   std::span<const int> index, double clip, double entropy_weight,
                                   std::span<float> grad) {
  const double share = 1.0 / static_cast<double>(index.size());
  const auto total = Pass(
      index, policy_.n_params(), grad, [&](int thread, std::span<const int> samples, Shard* shard) {
        MlpTile& tile = actor_tiles_[thread];
        const int width = static_cast<int>(samples.size());
        Load(batch.obs, batch.n_obs, samples, tile.input());
        policy_.mlp().Forward(std::span<const float>(actor_params).first(policy_.mlp().n_params()),
                              width, &tile);
        std::array<const float*, kTile> actions;
        std::array<float, kTile> weight;
        for (int j = 0; j < width; ++j) {
          const int s = samples[j];
          actions[j] = batch.action.data() + static_cast<size_t>(s) * batch.n_act;
          const double log_ratio = std::clamp<double>(
              policy_.LogProb(actor_params, tile, j, actions[j]) - batch.log_prob[s], -kMaxLogRatio,
              kMaxLogRatio);
          const double ratio = std::exp(log_ratio), a = advantage[s];
          const double kept = ratio * a, cut = std::clamp(ratio, 1 - clip, 1 + clip) * a;
          shard->sum[0] += std::min(kept, cut);
          shard->sum[1] += (ratio - 1) - log_ratio;
          shard->sum[2] += kept > cut ? 1.0 : 0.0;
          weight[j] = static_cast<float>(kept > cut ? 0.0 : -kept * share);
        }
        policy_.AddLogProbGradient(actor_params, std::span(actions).first(width),
                                   std::span(weight).first(width), &tile, shard->grad);
      });
  for (float& g : policy_.log_std(grad)) g -= static_cast<float>(entropy_weight);
  return {total[0] * share, total[1] * share, total[2] * share};
}

void Learner::PolicyGradient(const Batch& batch, std::span<const float> advantage,
                             std::span<float> grad) {
  const double share = 1.0 / batch.n();
  Pass(All(batch.n(), 1), policy_.n_params(), grad,
       [&](int thread, std::span<const int> samples, Shard* shard) {
         MlpTile& tile = actor_tiles_[thread];
         const int width = static_cast<int>(samples.size());
         Load(batch.obs, batch.n_obs, samples, tile.input());
         policy_.mlp().Forward(std::span<const float>(actor_params).first(policy_.mlp().n_params()),
                               width, &tile);
         std::array<const float*, kTile> actions;
         std::array<float, kTile> weight;
         for (int j = 0; j < width; ++j) {
           actions[j] = batch.action.data() + static_cast<size_t>(samples[j]) * batch.n_act;
           weight[j] = static_cast<float>(share * advantage[samples[j]]);
         }
         policy_.AddLogProbGradient(actor_params, std::span(actions).first(width),
                                    std::span(weight).first(width), &tile, shard->grad);
       });
}

void Learner::FisherProduct(const Batch& batch, std::span<const float> direction, double damping,
                            int stride, std::span<float> product) {
  const std::span<const int> index = All(batch.n(), stride);
  Pass(index, policy_.n_params(), product,
       [&](int thread, std::span<const int> samples, Shard* shard) {
         MlpTile& tile = actor_tiles_[thread];
         Load(batch.obs, batch.n_obs, samples, tile.input());
         policy_.mlp().Forward(std::span<const float>(actor_params).first(policy_.mlp().n_params()),
                               static_cast<int>(samples.size()), &tile);
         policy_.AddFisherProduct(actor_params, direction, &tile, shard->grad);
       });
  const float share = 1.0F / static_cast<float>(index.size());
  for (size_t i = 0; i < product.size(); ++i)
    product[i] = product[i] * share + static_cast<float>(damping) * direction[i];
}

SurrogateValues Learner::Evaluate(const Batch& batch, std::span<const float> params) {
  const int objectives = batch.n_objectives();
  const auto total =
      Pass(All(batch.n(), 1), 0, {}, [&](int thread, std::span<const int> samples, Shard* shard) {
        MlpTile& tile = actor_tiles_[thread];
        const int width = static_cast<int>(samples.size());
        Load(batch.obs, batch.n_obs, samples, tile.input());
        policy_.mlp().Forward(params.first(policy_.mlp().n_params()), width, &tile);
        for (int j = 0; j < width; ++j) {
          const size_t s = static_cast<size_t>(samples[j]);
          const float* action = batch.action.data() + s * batch.n_act;
          const double log_ratio = policy_.LogProb(params, tile, j, action) - batch.log_prob[s];
          const double ratio = std::exp(std::min(log_ratio, kMaxLogRatio));
          for (int k = 0; k < objectives; ++k)
            shard->sum[k] += ratio * batch.advantage[static_cast<size_t>(k) * batch.n() + s];
          shard->sum[kMaxObjectives] +=
              policy_.Kl(params, tile, j, batch.mean.data() + s * batch.n_act, batch.log_std);
        }
      });
  SurrogateValues values;
  for (int k = 0; k < objectives; ++k) values.surrogate[k] = total[k] / batch.n();
  values.kl = total[kMaxObjectives] / batch.n();
  for (const float s : policy_.log_std(params))
    values.entropy += s + 0.5 * std::log(2 * std::numbers::pi * std::numbers::e);
  return values;
}

}  // namespace saferl::learn
