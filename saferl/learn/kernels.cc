#include "saferl/learn/kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace saferl::learn {
namespace {

// tanh(x) = 1 - 2 / (exp(2x) + 1) away from zero, its odd Taylor series near zero (no cancellation
// there).
constexpr float kTanhLimit = 9.0F;    // tanh is 1 in float beyond this
constexpr float kTanhSeries = 0.25F;  // |x| below: series, next term 4e-9 of x
constexpr float kLog2E = 1.44269504088896341F;
constexpr float kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
constexpr float kS3 = -1.0F / 3, kS5 = 2.0F / 15, kS7 = -17.0F / 315, kS9 = 62.0F / 2835;

float TanhScalar(float x) {
  const float s = x * x;
  if (s < kTanhSeries * kTanhSeries) return x + x * s * (kS3 + s * (kS5 + s * (kS7 + s * kS9)));
  const float y = 2.0F * std::clamp(x, -kTanhLimit, kTanhLimit);
  const float n = std::nearbyint(y * kLog2E);
  const float r = (y - n * kLn2High) - n * kLn2Low;
  float p = 1.0F / 5040;
  for (const float c : {1.0F / 720, 1.0F / 120, 1.0F / 24, 1.0F / 6, 0.5F, 1.0F, 1.0F})
    p = p * r + c;
  const auto bits = static_cast<uint32_t>(static_cast<int32_t>(n) + 127) << 23;
  return 1.0F - 2.0F / (p * std::bit_cast<float>(bits) + 1.0F);
}

void ProductPortable(const MatrixView& a, const float* x, const float* bias, bool accumulate, int m,
                     int k, int width, float* c) {
  for (int j = 0; j < RoundUp(width); j += kVectorPad) {
    for (int i = 0; i < m; ++i) {
      float sum[kVectorPad];
      float* out = c + i * kTile + j;
      const float start = bias != nullptr ? bias[i] : 0.0F;
      for (int l = 0; l < kVectorPad; ++l) sum[l] = accumulate ? out[l] : start;
      for (int p = 0; p < k; ++p) {
        const float w = a.data[i * a.row_stride + p * a.column_stride];
        const float* in = x + p * kTile + j;
        for (int l = 0; l < kVectorPad; ++l) sum[l] += w * in[l];
      }
      for (int l = 0; l < kVectorPad; ++l) out[l] = sum[l];
    }
  }
}

void OuterPortable(const float* d, const float* x, int m, int n, int width, float* g) {
  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < n; ++j) {
      float sum[kVectorPad] = {};
      for (int l = 0; l < RoundUp(width); l += kVectorPad)
        for (int q = 0; q < kVectorPad; ++q) sum[q] += d[i * kTile + l + q] * x[j * kTile + l + q];
      float total = 0;
      for (const float part : sum) total += part;
      g[i * n + j] += total;
    }
  }
}

void TanhPortable(const float* x, int rows, int width, float* y) {
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < RoundUp(width); ++j) y[i * kTile + j] = TanhScalar(x[i * kTile + j]);
}

}  // namespace

const Kernels& PortableKernels() {
  static constexpr Kernels kTable{"portable", ProductPortable, OuterPortable, TanhPortable};
  return kTable;
}

const Kernels& BestKernels() {
  const Kernels* avx2 = Avx2Kernels();
  return avx2 != nullptr ? *avx2 : PortableKernels();
}

}  // namespace saferl::learn
