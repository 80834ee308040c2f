#pragma once
// Inside of Policy::Forward: the packed network and the kernels that run it.
//
// Packed network, one block of floats aligned to 64 bytes, read front to back once per Forward:
//   mean (in8), 1 / std (in8), per layer its column blocks, action scale (out8), offset (out8).
// A column block holds w outputs, w the largest of 64, 32, 16, 8 that still fits:
//   bias (w), for each input k the weights of the w outputs (in8 x w), zeros up to a cache line;
//   of a half layer: the same, each weight as float16;
//   of an int8 layer: start sums (int32, w), output scale (w), bias (w), then for each four inputs
//   4 bytes of each of the w outputs (in8 x w bytes), zeros up to a cache line.
// in8 and out8 are sizes rounded up to 8; what is added is zero, so it changes no sum. A layer
// whose weights are all float16 values (half.h) is packed as a half layer for AVX2: the same
// numbers and sums, half the cache lines, which is what a control tick waits for.
//
// Order of summation, the same in both kernels: an output in a block of w has C = 64 / w partial
// sums (1, 2, 4 or 8), so that 8 independent vector chains hide the latency of the FMA. Partial sum
// c takes the inputs k = c mod C in rising order, starting from the bias for c = 0; then they are
// added as a balanced tree. The portable kernel rounds each product where AVX2 fuses it, and
// differs in the last bits. Sums of int8 layers are whole numbers, the same in both.
// RT: kernels yes; PackNetwork no.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "saferl/policy/activation.h"
#include "saferl/policy/policy.h"
#include "saferl/policy/quantise.h"

namespace saferl::policy {

inline constexpr size_t kPackAlign = 64;

enum class Kernel : int { kPortable = 0, kAvx2 = 1 };

struct PackedLayer {
  int32_t in8 = 0, out8 = 0;
  Activation activation = Activation::kIdentity;
  bool int8 = false, half = false;
  bool common = false;  ///< half, in blocks of 64 and at most one of 8
  Int8Input input;      ///< of an int8 layer
};

struct PackedNetwork;
using KernelFunction = bool (*)(const PackedNetwork& net, const float* observation, float* action);

/// The block of floats follows this header in memory: one allocation, read front to back.
struct alignas(kPackAlign) PackedNetwork {
  KernelFunction run = nullptr;
  Kernel kernel = Kernel::kPortable;
  int32_t n_obs = 0, n_act = 0, n_layers = 0;
  float obs_clip = 0;
  bool squash = false;  ///< by tanh, after an activation of the last layer's own
  TanhFormula tanh;     ///< here rather than far away from the weights
  PackedLayer layers[kMaxLayers];

  const float* data() const { return reinterpret_cast<const float*>(this + 1); }
};
using PackedPointer = std::unique_ptr<const PackedNetwork, PackedDelete>;

bool RunPortable(const PackedNetwork& net, const float* observation, float* action);
bool RunAvx2(const PackedNetwork& net, const float* observation, float* action);

/// The best kernel that this processor runs.
Kernel BestKernel();
bool CanRun(Kernel kernel);
const char* Name(Kernel kernel);

constexpr int RoundUp8(int n) { return (n + 7) / 8 * 8; }

/// Width of the block that starts `left` columns before the end; left is a multiple of 8.
constexpr int BlockWidth(int left) {
  return left >= 64 ? 64 : left >= 32 ? 32 : left >= 16 ? 16 : 8;
}

/// Floats of one block, rounded up so that the next one starts on a cache line.
constexpr ptrdiff_t BlockFloats(int width, int in8) {
  return (static_cast<ptrdiff_t>(width) * (in8 + 1) + 15) / 16 * 16;
}

/// The same of a half layer.
constexpr ptrdiff_t HalfBlockFloats(int width, int in8) {
  return (static_cast<ptrdiff_t>(width) * (in8 + 2) / 2 + 15) / 16 * 16;
}

/// The same of an int8 layer.
constexpr ptrdiff_t Int8BlockFloats(int width, int in8) {
  return (static_cast<ptrdiff_t>(width) * (12 + in8) / 4 + 15) / 16 * 16;
}

constexpr ptrdiff_t BlockFloats(const PackedLayer& layer, int width) {
  if (layer.int8) return Int8BlockFloats(width, layer.in8);
  return layer.half ? HalfBlockFloats(width, layer.in8) : BlockFloats(width, layer.in8);
}

/// All weights of a float32 layer are float16 values: AVX2 reads them in half the memory.
bool HasHalfWeights(const Layer& layer);

/// Packs a valid spec for a kernel that this processor runs.
PackedPointer PackNetwork(const PolicySpec& spec, Kernel kernel);

/// Tests and benches choose the kernel; everyone else takes the best one.
struct PolicyAccess {
  static StatusOr<std::shared_ptr<const Policy>> CreateWithKernel(PolicySpec spec, Kernel kernel);
  static Kernel kernel(const Policy& policy);
};

}  // namespace saferl::policy
