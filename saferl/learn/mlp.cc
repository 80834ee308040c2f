#include "saferl/learn/mlp.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace saferl::learn {

Mlp::Mlp(std::vector<int> sizes, const Kernels& kernels)
    : sizes_(std::move(sizes)), kernels_(&kernels) {
  for (size_t l = 0; l + 1 < sizes_.size(); ++l) {
    offset_.push_back(n_params_);
    n_params_ += sizes_[l + 1] * sizes_[l] + sizes_[l + 1];
  }
  widest_ = *std::ranges::max_element(sizes_);
}

MlpTile Mlp::MakeTile() const {
  MlpTile tile;
  for (const int size : sizes_) {
    tile.activation.emplace_back(static_cast<size_t>(size) * kTile);
    tile.tangent.emplace_back(static_cast<size_t>(size) * kTile);
  }
  tile.delta.resize(static_cast<size_t>(widest_) * kTile);
  tile.delta_below.resize(static_cast<size_t>(widest_) * kTile);
  return tile;
}

void Mlp::Initialise(std::span<float> params, Random* random, double output_gain) const {
  std::ranges::fill(params, 0.0F);
  for (int l = 0; l < n_layers(); ++l) {
    const double gain = l + 1 == n_layers() ? output_gain : 1.0;
    const double deviation = gain / std::sqrt(static_cast<double>(sizes_[l]));
    for (int i = 0; i < sizes_[l + 1] * sizes_[l]; ++i)
      params[offset_[l] + i] = static_cast<float>(deviation * random->Normal());
  }
}

void Mlp::Forward(std::span<const float> params, int width, MlpTile* tile) const {
  tile->width = width;
  for (int l = 0; l < n_layers(); ++l) {
    const int in = sizes_[l], out = sizes_[l + 1];
    const float* w = params.data() + offset_[l];
    float* y = tile->activation[l + 1].data();
    kernels_->product({w, in, 1}, tile->activation[l].data(), w + in * out, false, out, in, width,
                      y);
    if (l + 1 < n_layers()) kernels_->tanh(y, out, width, y);
  }
}

void Mlp::Backward(std::span<const float> params, const float* d_output, MlpTile* tile,
                   std::span<float> grad) const {
  const int padded = RoundUp(tile->width);
  const float* delta = d_output;
  for (int l = n_layers() - 1; l >= 0; --l) {
    const int in = sizes_[l], out = sizes_[l + 1];
    float* g = grad.data() + offset_[l];
    kernels_->outer(delta, tile->activation[l].data(), out, in, tile->width, g);
    for (int i = 0; i < out; ++i) {
      float sum = 0;
      for (int j = 0; j < padded; ++j) sum += delta[i * kTile + j];
      g[in * out + i] += sum;
    }
    if (l == 0) return;
    // delta_below = (W' delta) .* (1 - a^2)
    float* below = tile->delta_below.data();
    kernels_->product({params.data() + offset_[l], 1, in}, delta, nullptr, false, in, out,
                      tile->width, below);
    const float* a = tile->activation[l].data();
    for (int i = 0; i < in; ++i)
      for (int j = i * kTile; j < i * kTile + padded; ++j) below[j] *= 1.0F - a[j] * a[j];
    std::swap(tile->delta, tile->delta_below);
    delta = tile->delta.data();
  }
}

void Mlp::ForwardR(std::span<const float> params, std::span<const float> direction,
                   MlpTile* tile) const {
  const int padded = RoundUp(tile->width);
  for (int l = 0; l < n_layers(); ++l) {
    const int in = sizes_[l], out = sizes_[l + 1];
    const float* w = params.data() + offset_[l];
    const float* v = direction.data() + offset_[l];
    float* r = tile->tangent[l + 1].data();
    // R{z} = V a + v_b + W R{a}; the input does not depend on the parameters.
    kernels_->product({v, in, 1}, tile->activation[l].data(), v + in * out, false, out, in,
                      tile->width, r);
    if (l > 0)
      kernels_->product({w, in, 1}, tile->tangent[l].data(), nullptr, true, out, in, tile->width,
                        r);
    if (l + 1 == n_layers()) return;
    const float* a = tile->activation[l + 1].data();
    for (int i = 0; i < out; ++i)
      for (int j = i * kTile; j < i * kTile + padded; ++j) r[j] *= 1.0F - a[j] * a[j];
  }
}

int64_t Mlp::mac() const {
  int64_t total = 0;
  for (int l = 0; l < n_layers(); ++l) total += static_cast<int64_t>(sizes_[l]) * sizes_[l + 1];
  return total;
}

}  // namespace saferl::learn
