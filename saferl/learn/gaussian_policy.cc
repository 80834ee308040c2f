#include "saferl/learn/gaussian_policy.h"

#include <algorithm>
#include <cmath>

namespace saferl::learn {
namespace {
constexpr float kHalfLog2Pi = 0.918938533F;
/// The last layer starts small, so that the first actions are noise around standstill.
constexpr double kOutputGain = 0.1;
}  // namespace

void GaussianPolicy::Initialise(std::span<float> params, Random* random,
                                double start_log_std) const {
  mlp_.Initialise(params.first(mlp_.n_params()), random, kOutputGain);
  std::ranges::fill(log_std(params), static_cast<float>(start_log_std));
}

void GaussianPolicy::ClampLogStd(std::span<float> params) const {
  for (float& value : log_std(params)) value = std::clamp(value, kMinLogStd, kMaxLogStd);
}

float GaussianPolicy::LogProb(std::span<const float> params, const MlpTile& tile, int column,
                              const float* action) const {
  const std::span<const float> deviation = log_std(params);
  float total = 0;
  for (int i = 0; i < n_act(); ++i) {
    const float z = (action[i] - tile.output()[i * kTile + column]) * std::exp(-deviation[i]);
    total += -0.5F * z * z - deviation[i] - kHalfLog2Pi;
  }
  return total;
}

void GaussianPolicy::AddLogProbGradient(std::span<const float> params,
                                        std::span<const float* const> actions,
                                        std::span<const float> weight, MlpTile* tile,
                                        std::span<float> grad) const {
  const std::span<const float> deviation = log_std(params);
  std::vector<float> d_mean(static_cast<size_t>(n_act()) * kTile);
  for (int i = 0; i < n_act(); ++i) {
    const float inverse = std::exp(-deviation[i]);
    float d_log_std = 0;
    for (int j = 0; j < tile->width; ++j) {
      const float z = (actions[j][i] - tile->output()[i * kTile + j]) * inverse;
      d_mean[i * kTile + j] = weight[j] * z * inverse;
      d_log_std += weight[j] * (z * z - 1.0F);
    }
    grad[mlp_.n_params() + i] += d_log_std;
  }
  mlp_.Backward(params.first(mlp_.n_params()), d_mean.data(), tile, grad.first(mlp_.n_params()));
}

void GaussianPolicy::AddFisherProduct(std::span<const float> params,
                                      std::span<const float> direction, MlpTile* tile,
                                      std::span<float> product) const {
  const std::span<const float> deviation = log_std(params);
  const int n = mlp_.n_params();
  mlp_.ForwardR(params.first(n), direction.first(n), tile);
  std::vector<float> d_mean(static_cast<size_t>(n_act()) * kTile);
  for (int i = 0; i < n_act(); ++i) {
    const float inverse2 = std::exp(-2.0F * deviation[i]);
    for (int j = 0; j < tile->width; ++j)
      d_mean[i * kTile + j] = tile->output_tangent()[i * kTile + j] * inverse2;
    product[n + i] += 2.0F * direction[n + i] * static_cast<float>(tile->width);
  }
  mlp_.Backward(params.first(n), d_mean.data(), tile, product.first(n));
}

double GaussianPolicy::Kl(std::span<const float> params, const MlpTile& tile, int column,
                          const float* old_mean, std::span<const float> old_log_std) const {
  const std::span<const float> deviation = log_std(params);
  double total = 0;
  for (int i = 0; i < n_act(); ++i) {
    const double d = old_mean[i] - tile.output()[i * kTile + column];
    const double inverse2 = std::exp(-2.0 * deviation[i]);
    total += deviation[i] - old_log_std[i] +
             0.5 * (std::exp(2.0 * old_log_std[i]) + d * d) * inverse2 - 0.5;
  }
  return total;
}

}  // namespace saferl::learn
