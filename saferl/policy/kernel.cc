// Choice of kernel, and packing of a spec into the block of floats that the kernels read.
#include "saferl/policy/kernel.h"

#include <algorithm>
#include <cstring>

namespace saferl::policy {
namespace {

PackedLayer Packed(const Layer& layer) {
  return {.in8 = RoundUp8(layer.in),
          .out8 = RoundUp8(layer.out),
          .activation = layer.activation,
          .int8 = layer.int8(),
          .input = {}};
}

size_t PackedFloats(const PolicySpec& spec) {
  size_t n = 2 * static_cast<size_t>(RoundUp8(spec.n_obs()) + RoundUp8(spec.n_act()));
  for (const Layer& layer : spec.layers) {
    for (int out = 0; out < RoundUp8(layer.out);) {
      const int width = BlockWidth(RoundUp8(layer.out) - out);
      n += static_cast<size_t>(BlockFloats(Packed(layer), width));
      out += width;
    }
  }
  return n;
}

float* Append(const std::vector<float>& values, float* p) {
  std::copy(values.begin(), values.end(), p);
  return p + RoundUp8(static_cast<int>(values.size()));
}

/// One column block at p: bias, then for each input its weights to outputs [first, first + width).
void FillBlock(const Layer& layer, int first, int width, float* p) {
  const int last = std::min(first + width, layer.out);
  for (int j = first; j < last; ++j) p[j - first] = layer.bias[static_cast<size_t>(j)];
  p += width;
  for (int k = 0; k < layer.in; ++k) {
    for (int j = first; j < last; ++j) {
      p[k * width + (j - first)] = layer.weight[static_cast<size_t>(j) * layer.in + k];
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

bool CanRun(Kernel kernel) {
  switch (kernel) {
    case Kernel::kPortable:
      return true;
    case Kernel::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
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
  const size_t n = PackedFloats(spec);
  void* memory =
      ::operator new(sizeof(PackedNetwork) + n * sizeof(float), std::align_val_t(kPackAlign));
  auto* net = new (memory) PackedNetwork;
  net->run = Function(kernel);
  net->kernel = kernel;
  net->n_obs = spec.n_obs();
  net->n_act = spec.n_act();
  net->n_layers = static_cast<int32_t>(spec.layers.size());
  net->obs_clip = spec.obs_clip;
  net->squash = spec.squash;

  float* p = reinterpret_cast<float*>(net + 1);
  std::memset(p, 0, n * sizeof(float));
  std::vector<float> inv_std(spec.obs_std.size());
  std::transform(spec.obs_std.begin(), spec.obs_std.end(), inv_std.begin(),
                 [](float std) { return 1.0F / std; });
  p = Append(inv_std, Append(spec.obs_mean, p));
  for (size_t l = 0; l < spec.layers.size(); ++l) {
    const Layer& layer = spec.layers[l];
    PackedLayer& packed = net->layers[l];
    packed = Packed(layer);
    if (layer.int8())
      packed.input = Int8InputAfter(spec.layers[l - 1].activation, layer.input_limit);
    for (int out = 0; out < RoundUp8(layer.out);) {
      const int width = BlockWidth(RoundUp8(layer.out) - out);
      if (layer.int8()) {
        FillInt8Block(layer, packed.input, out, width, p);
      } else {
        FillBlock(layer, out, width, p);
      }
      p += BlockFloats(packed, width);
      out += width;
    }
  }
  Append(spec.action_offset, Append(spec.action_scale, p));
  return PackedPointer(net);
}

}  // namespace saferl::policy
