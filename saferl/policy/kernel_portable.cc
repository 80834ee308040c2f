// Portable kernel: the same order of summation as the vector kernels, products rounded before they
// are added.
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "saferl/policy/activation.h"
#include "saferl/policy/kernel.h"

namespace saferl::policy {
namespace {

template <int kWidth, int kSums>
void Block(const float* w, const float* x, int in8, Activation activation, float* y) {
  float acc[kSums][kWidth] = {};
  for (int j = 0; j < kWidth; ++j) acc[0][j] = w[j];
  w += kWidth;
  for (int k = 0; k < in8; k += kSums) {
    for (int c = 0; c < kSums; ++c, w += kWidth) {
      const float xk = x[k + c];
      for (int j = 0; j < kWidth; ++j) acc[c][j] += xk * w[j];
    }
  }
  for (int step = 1; step < kSums; step *= 2) {
    for (int c = 0; c < kSums; c += 2 * step) {
      for (int j = 0; j < kWidth; ++j) acc[c][j] += acc[c + step][j];
    }
  }
  for (int j = 0; j < kWidth; ++j) y[j] = Activate(activation, acc[0][j]);
}

bool Normalise(const PackedNetwork& net, const float* observation, float* a) {
  const int in8 = RoundUp8(net.n_obs);
  const float* mean = net.data();
  const float* inv_std = net.data() + in8;
  bool finite = true;
  for (int i = 0; i < net.n_obs; ++i) {
    finite = finite && std::isfinite(observation[i]);
    const float z = (observation[i] - mean[i]) * inv_std[i];
    a[i] = std::clamp(z, -net.obs_clip, net.obs_clip);
  }
  for (int i = net.n_obs; i < in8; ++i) a[i] = 0;
  return finite;
}

bool Finish(const PackedNetwork& net, const float* w, float* y, float* action) {
  const int out8 = RoundUp8(net.n_act);
  bool finite = true;
  for (int i = 0; i < net.n_act; ++i) {
    y[i] = w[i] * (net.squash ? Tanh(y[i]) : y[i]) + w[out8 + i];
    finite = finite && std::isfinite(y[i]);
  }
  if (!finite) return false;
  for (int i = 0; i < net.n_act; ++i) action[i] = y[i];
  return true;
}

}  // namespace

bool RunPortable(const PackedNetwork& net, const float* observation, float* action,
                 PolicyScratch* scratch) {
  float* x = scratch->a;
  float* y = scratch->b;
  if (!Normalise(net, observation, x)) return false;
  const float* w = net.data() + 2 * RoundUp8(net.n_obs);
  for (int l = 0; l < net.n_layers; ++l) {
    const PackedLayer& layer = net.layers[l];
    for (int out = 0; out < layer.out8;) {
      const int width = BlockWidth(layer.out8 - out);
      switch (width) {
        case 32:
          Block<32, 2>(w, x, layer.in8, layer.activation, y + out);
          break;
        case 16:
          Block<16, 4>(w, x, layer.in8, layer.activation, y + out);
          break;
        default:
          Block<8, 8>(w, x, layer.in8, layer.activation, y + out);
          break;
      }
      w += BlockFloats(width, layer.in8);
      out += width;
    }
    float* t = x;
    x = y;
    y = t;
  }
  return Finish(net, w, x, action);
}

}  // namespace saferl::policy
