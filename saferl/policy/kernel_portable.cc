// Portable kernel: the same order of summation as the vector kernels, products rounded before they
// are added.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

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

/// In place, byte k where float k / 4 was; false when one is not finite.
bool QuantiseInput(const Int8Input& input, int in8, float* x) {
  bool finite = true;
  auto* u = reinterpret_cast<uint8_t*>(x);
  for (int k = 0; k < in8; ++k) {
    float value;
    std::memcpy(&value, u + 4 * static_cast<ptrdiff_t>(k), sizeof value);
    finite = finite && std::isfinite(value);
    const float scaled = std::clamp(value * input.per_unit, -128.0F, 127.0F);
    const int32_t q = finite ? static_cast<int32_t>(std::nearbyintf(scaled)) + input.zero : 0;
    u[k] = static_cast<uint8_t>(std::clamp(q, input.low, int32_t{127}));
  }
  return finite;
}

template <int kWidth>
void Int8Block(const float* w, const float* x, int in8, Activation activation, float* y) {
  int32_t sum[kWidth];
  std::memcpy(sum, w, sizeof sum);
  const auto* u = reinterpret_cast<const uint8_t*>(x);
  const auto* q = reinterpret_cast<const int8_t*>(w + 3 * kWidth);
  for (int k = 0; k < in8; k += 4, q += kWidth * 4) {
    const int32_t u0 = u[k], u1 = u[k + 1], u2 = u[k + 2], u3 = u[k + 3];
    for (int j = 0; j < kWidth; ++j)
      sum[j] += q[4 * j] * u0 + q[4 * j + 1] * u1 + q[4 * j + 2] * u2 + q[4 * j + 3] * u3;
  }
  for (int j = 0; j < kWidth; ++j) {
    const float scaled = static_cast<float>(sum[j]) * w[kWidth + j];
    y[j] = Activate(activation, scaled + w[2 * kWidth + j]);
  }
}

template <int kWidth, int kSums>
void AnyBlock(const PackedLayer& layer, const float* w, const float* x, float* y) {
  if (layer.int8) return Int8Block<kWidth>(w, x, layer.in8, layer.activation, y);
  Block<kWidth, kSums>(w, x, layer.in8, layer.activation, y);
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

bool RunPortable(const PackedNetwork& net, const float* observation, float* action) {
  float a[kMaxWidth];
  float b[kMaxWidth];
  float* x = a;
  float* y = b;
  if (!Normalise(net, observation, x)) return false;
  const float* w = net.data() + 2 * RoundUp8(net.n_obs);
  for (int l = 0; l < net.n_layers; ++l) {
    const PackedLayer& layer = net.layers[l];
    if (layer.int8 && !QuantiseInput(layer.input, layer.in8, x)) return false;
    for (int out = 0; out < layer.out8;) {
      const int width = BlockWidth(layer.out8 - out);
      switch (width) {
        case 64:
          AnyBlock<64, 1>(layer, w, x, y + out);
          break;
        case 32:
          AnyBlock<32, 2>(layer, w, x, y + out);
          break;
        case 16:
          AnyBlock<16, 4>(layer, w, x, y + out);
          break;
        default:
          AnyBlock<8, 8>(layer, w, x, y + out);
          break;
      }
      w += BlockFloats(layer, width);
      out += width;
    }
    float* t = x;
    x = y;
    y = t;
  }
  return Finish(net, w, x, action);
}

}  // namespace saferl::policy
