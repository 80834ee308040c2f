#pragma once
// The three float32 loops that training spends its time in: matrix product, outer-product sum,
// tanh. One table per instruction set; the caller picks once (BestKernels) and every result is then
// bit-stable.
//
// Layout: a "tile" is feature-major: element (feature i, sample j) at x[i * kTile + j], so that one
// vector register holds the same feature of 8 samples. `width` samples are in use; kernels work on
// RoundUp(width) of them, so the caller keeps the padding samples finite (zero). Shapes: m, k, n as
// given per function. RT: yes (no allocation). Errors: none. Cost: `learn_bench` prints GFLOP/s; on
// AVX2/FMA the product runs at 60-80 % of one core's peak. Source: register blocking after Goto &
// van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008).

namespace saferl::learn {

inline constexpr int kTile = 128;      ///< samples per tile
inline constexpr int kVectorPad = 16;  ///< kernels work on multiples of this many samples
constexpr int RoundUp(int width) { return (width + kVectorPad - 1) / kVectorPad * kVectorPad; }

/// A matrix read with two strides, so that W and its transpose are the same memory.
struct MatrixView {
  const float* data = nullptr;
  int row_stride = 0, column_stride = 1;
};

struct Kernels {
  const char* name;
  /// C (m x width) = A (m x k) X (k x width) + bias (m, may be null); `accumulate` adds to C
  /// instead of starting from the bias.
  void (*product)(const MatrixView& a, const float* x, const float* bias, bool accumulate, int m,
                  int k, int width, float* c);
  /// G (m x n, row-major) += D (m x width) X' (n x width)': the gradient of a weight matrix.
  void (*outer)(const float* d, const float* x, int m, int n, int width, float* g);
  /// y = tanh(x) over `rows` rows of a tile. |error| <= 3e-7.
  void (*tanh)(const float* x, int rows, int width, float* y);
};

/// Plain C++, any machine.
const Kernels& PortableKernels();
/// AVX2 and FMA; null where the processor has none.
const Kernels* Avx2Kernels();
/// The fastest table that this processor runs.
const Kernels& BestKernels();

}  // namespace saferl::learn
