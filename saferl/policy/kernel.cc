// Choice of kernel, and packing of a spec into the block of floats that the kernels read.
#include "saferl/policy/kernel.h"

#include <algorithm>
#include <cstring>

#include "saferl/policy/half.h"

namespace saferl::policy {
namespace {

PackedLayer Packed(const Layer& layer, Kernel kernel) {
  const bool half = kernel == Kernel::kAvx2 && HasHalfWeights(layer);
  return {.in8 = RoundUp8(layer.in),
          .out8 = RoundUp8(layer.out),
          .activation = layer.activation,
          .int8 = layer.int8(),
          .half = half,
          .common = half && RoundUp8(layer.out) % 64 <= 8,
          .input = {}};
}

size_t PackedFloats(const PolicySpec& spec, const PackedNetwork& net) {
  size_t n = 2 * static_cast<size_t>(RoundUp8(spec.n_obs()) + RoundUp8(spec.n_act()));
  for (int l = 0; l < net.n_layers; ++l) {
    for (int out = 0; out < net.layers[l].out8;) {
      const int width = BlockWidth(net.layers[l].out8 - out);
      n += static_cast<size_t>(BlockFloats(net.layers[l], width));
      out += width;
    }
  }
  return n;
}

float* Append(const std::vector<float>& values, float* p) {
  std::copy(values.begin(), values.end(), p);
  return p + RoundUp8(static_cast<int>(values.size()));
}

/// One column block at p: bias, then for each input its weights to outputs [first, first + width),
/// each as `stored` says.
template <class Stored>
void FillBlock(const Layer& layer, int first, int width, const Stored& stored, float* p) {
  const int last = std::min(first + width, layer.out);
  for (int j = first; j < last; ++j) p[j - first] = layer.bias[static_cast<size_t>(j)];
  auto* weights = reinterpret_cast<decltype(stored(0.0F))*>(p + width);
  for (int k = 0; k < layer.in; ++k) {
    for (int j = first; j < last; ++j) {
      weights[k * width + (j - first)] =
          stored(layer.weight[static_cast<size_t>(j) * layer.in + k]);
    }
  }
}

/// The same of an int8 layer. What is added to reach in8 and out8 has weight 0 and scale 0.
void FillInt8Block(const Layer& layer, const Int8Input& input, int first, int width, float* p) {
  auto* start = reinterpret_cast<int32_t*>(p);
  float* scale = p + width;
  float* bias = p + 2 * width;
  auto* q = reinterpret_cast<int8_t*>(p + 3 * width);
  for (int j = first; j < std::min(first + width, layer.out); ++j) {
    int32_t sum = 0;
    for (int k = 0; k < layer.in; ++k) {
      const int8_t w = Int8Weight(layer, j, k);
      sum += w;
      q[(k / 4 * width + (j - first)) * 4 + k % 4] = w;
    }
    start[j - first] = -input.zero * sum;
    scale[j - first] = layer.weight_scale[static_cast<size_t>(j)] / input.per_unit;
    bias[j - first] = layer.bias[static_cast<size_t>(j)];
  }
}

KernelFunction Function(Kernel kernel) {
  switch (kernel) {
    case Kernel::kPortable:
      return RunPortable;
    case Kernel::kAvx2:
      return RunAvx2;
  }
  return RunPortable;
}

}  // namespace

bool HasHalfWeights(const Layer& layer) {
  return !layer.int8() && std::all_of(layer.weight.begin(), layer.weight.end(), IsHalf);
}

bool CanRun(Kernel kernel) {
  switch (kernel) {
    case Kernel::kPortable:
      return true;
    case Kernel::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
             __builtin_cpu_supports("f16c");
  }
  return false;
}

Kernel BestKernel() { return CanRun(Kernel::kAvx2) ? Kernel::kAvx2 : Kernel::kPortable; }

const char* Name(Kernel kernel) {
  switch (kernel) {
    case Kernel::kPortable:
      return "portable";
    case Kernel::kAvx2:
      return "avx2";
  }
  return "unknown";
}

void PackedDelete::operator()(const PackedNetwork* packed) const {
  ::operator delete(const_cast<PackedNetwork*>(packed), std::align_val_t(kPackAlign));
}

PackedPointer PackNetwork(const PolicySpec& spec, Kernel kernel) {
  PackedNetwork head;
  head.run = Function(kernel);
  head.kernel = kernel;
  head.n_obs = spec.n_obs();
  head.n_act = spec.n_act();
  head.n_layers = static_cast<int32_t>(spec.layers.size());
  head.obs_clip = spec.obs_clip;
  for (size_t l = 0; l < spec.layers.size(); ++l) {
    const Layer& layer = spec.layers[l];
    head.layers[l] = Packed(layer, kernel);
    if (layer.int8())
      head.layers[l].input = Int8InputAfter(spec.layers[l - 1].activation, layer.input_limit);
  }
  Activation& last = head.layers[head.n_layers - 1].activation;
  head.squash = spec.squash && last != Activation::kIdentity;
  if (spec.squash && !head.squash) last = Activation::kTanh;
  const size_t n = PackedFloats(spec, head);
  void* memory =
      ::operator new(sizeof(PackedNetwork) + n * sizeof(float), std::align_val_t(kPackAlign));
  auto* net = new (memory) PackedNetwork(head);

  float* p = reinterpret_cast<float*>(net + 1);
  std::memset(p, 0, n * sizeof(float));
  std::vector<float> inv_std(spec.obs_std.size());
  std::transform(spec.obs_std.begin(), spec.obs_std.end(), inv_std.begin(),
                 [](float std) { return 1.0F / std; });
  p = Append(inv_std, Append(spec.obs_mean, p));
  for (size_t l = 0; l < spec.layers.size(); ++l) {
    const Layer& layer = spec.layers[l];
    const PackedLayer& packed = net->layers[l];
    for (int out = 0; out < packed.out8;) {
      const int width = BlockWidth(packed.out8 - out);
      if (layer.int8()) {
        FillInt8Block(layer, packed.input, out, width, p);
      } else if (packed.half) {
        FillBlock(layer, out, width, HalfBits, p);
      } else {
        FillBlock(layer, out, width, [](float w) { return w; }, p);
      }
      p += BlockFloats(packed, width);
      out += width;
    }
  }
  Append(spec.action_offset, Append(spec.action_scale, p));
  return PackedPointer(net);
}

}  // namespace saferl::policy
