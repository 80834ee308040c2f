// Choice of kernel, and packing of a spec into the block of floats that the kernels read.
#include "saferl/policy/kernel.h"

#include <algorithm>
#include <cstring>

namespace saferl::policy {
namespace {

size_t PackedFloats(const PolicySpec& spec) {
  size_t n = 2 * static_cast<size_t>(RoundUp8(spec.n_obs()) + RoundUp8(spec.n_act()));
  for (const Layer& layer : spec.layers) {
    for (int out = 0; out < RoundUp8(layer.out);) {
      const int width = BlockWidth(RoundUp8(layer.out) - out);
      n += static_cast<size_t>(BlockFloats(width, RoundUp8(layer.in)));
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
    net->layers[l] = {RoundUp8(layer.in), RoundUp8(layer.out), layer.activation};
    for (int out = 0; out < RoundUp8(layer.out);) {
      const int width = BlockWidth(RoundUp8(layer.out) - out);
      FillBlock(layer, out, width, p);
      p += BlockFloats(width, RoundUp8(layer.in));
      out += width;
    }
  }
  Append(spec.action_offset, Append(spec.action_scale, p));
  return PackedPointer(net);
}

}  // namespace saferl::policy
