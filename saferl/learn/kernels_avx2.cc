// AVX2/FMA versions of the training kernels. Compiled with target attributes, chosen at run time.
#include "saferl/learn/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define SAFERL_AVX2 __attribute__((target("avx2,fma")))
#define SAFERL_AVX2_INLINE __attribute__((target("avx2,fma"), always_inline)) inline

namespace saferl::learn {
namespace {

/// R rows of A against 16 samples: 2R accumulators stay in registers.
template <int R>
SAFERL_AVX2_INLINE void ProductBlock(const MatrixView& a, const float* x, const float* bias,
                                     bool accumulate, int i, int k, float* c) {
  __m256 low[R], high[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    if (accumulate) {
      low[r] = _mm256_loadu_ps(c + r * kTile);
      high[r] = _mm256_loadu_ps(c + r * kTile + 8);
    } else {
      low[r] = high[r] = _mm256_set1_ps(bias != nullptr ? bias[i + r] : 0.0F);
    }
  }
  const float* row = a.data + i * a.row_stride;
  for (int p = 0; p < k; ++p, x += kTile, row += a.column_stride) {
    const __m256 x0 = _mm256_loadu_ps(x), x1 = _mm256_loadu_ps(x + 8);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const __m256 w = _mm256_broadcast_ss(row + r * a.row_stride);
      low[r] = _mm256_fmadd_ps(w, x0, low[r]);
      high[r] = _mm256_fmadd_ps(w, x1, high[r]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    _mm256_storeu_ps(c + r * kTile, low[r]);
    _mm256_storeu_ps(c + r * kTile + 8, high[r]);
  }
}

SAFERL_AVX2 void ProductAvx2(const MatrixView& a, const float* x, const float* bias,
                             bool accumulate, int m, int k, int width, float* c) {
  for (int j = 0; j < width; j += kVectorPad) {
    int i = 0;
    for (; i + 6 <= m; i += 6) ProductBlock<6>(a, x + j, bias, accumulate, i, k, c + i * kTile + j);
    float* rest = c + i * kTile + j;
    switch (m - i) {
      case 5:
        ProductBlock<5>(a, x + j, bias, accumulate, i, k, rest);
        break;
      case 4:
        ProductBlock<4>(a, x + j, bias, accumulate, i, k, rest);
        break;
      case 3:
        ProductBlock<3>(a, x + j, bias, accumulate, i, k, rest);
        break;
      case 2:
        ProductBlock<2>(a, x + j, bias, accumulate, i, k, rest);
        break;
      case 1:
        ProductBlock<1>(a, x + j, bias, accumulate, i, k, rest);
        break;
      default:
        break;
    }
  }
}

SAFERL_AVX2_INLINE float Sum(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}

/// R rows of D against C rows of X over all samples.
template <int R, int C>
SAFERL_AVX2_INLINE void OuterBlock(const float* d, const float* x, int n, int width, float* g) {
  __m256 sum[R][C];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int q = 0; q < C; ++q) sum[r][q] = _mm256_setzero_ps();
  for (int l = 0; l < width; l += 8) {
    __m256 in[C];
#pragma GCC unroll 8
    for (int q = 0; q < C; ++q) in[q] = _mm256_loadu_ps(x + q * kTile + l);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const __m256 w = _mm256_loadu_ps(d + r * kTile + l);
#pragma GCC unroll 8
      for (int q = 0; q < C; ++q) sum[r][q] = _mm256_fmadd_ps(w, in[q], sum[r][q]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int q = 0; q < C; ++q) g[r * n + q] += Sum(sum[r][q]);
}

template <int R>
SAFERL_AVX2_INLINE void OuterRows(const float* d, const float* x, int n, int width, float* g) {
  int j = 0;
  for (; j + 4 <= n; j += 4) OuterBlock<R, 4>(d, x + j * kTile, n, width, g + j);
  for (; j < n; ++j) OuterBlock<R, 1>(d, x + j * kTile, n, width, g + j);
}

SAFERL_AVX2 void OuterAvx2(const float* d, const float* x, int m, int n, int width, float* g) {
  const int padded = RoundUp(width);
  int i = 0;
  for (; i + 3 <= m; i += 3) OuterRows<3>(d + i * kTile, x, n, padded, g + i * n);
  if (m - i == 2) OuterRows<2>(d + i * kTile, x, n, padded, g + i * n);
  if (m - i == 1) OuterRows<1>(d + i * kTile, x, n, padded, g + i * n);
}

SAFERL_AVX2_INLINE __m256 Tanh8(__m256 x) {
  const __m256 one = _mm256_set1_ps(1.0F);
  const __m256 s = _mm256_mul_ps(x, x);
  __m256 series = _mm256_set1_ps(62.0F / 2835);
  series = _mm256_fmadd_ps(series, s, _mm256_set1_ps(-17.0F / 315));
  series = _mm256_fmadd_ps(series, s, _mm256_set1_ps(2.0F / 15));
  series = _mm256_fmadd_ps(series, s, _mm256_set1_ps(-1.0F / 3));
  series = _mm256_fmadd_ps(_mm256_mul_ps(x, s), series, x);

  const __m256 limit = _mm256_set1_ps(9.0F);
  // Operand order matters: with a NaN these return their second operand, so that a NaN stays one.
  __m256 y = _mm256_min_ps(limit, _mm256_max_ps(_mm256_sub_ps(_mm256_setzero_ps(), limit), x));
  y = _mm256_add_ps(y, y);
  const __m256 n = _mm256_round_ps(_mm256_mul_ps(y, _mm256_set1_ps(1.44269504088896341F)),
                                   _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375F), y);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4F), r);
  __m256 p = _mm256_set1_ps(1.0F / 5040);
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0F / 720));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0F / 120));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0F / 24));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0F / 6));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5F));
  p = _mm256_fmadd_ps(p, r, one);
  p = _mm256_fmadd_ps(p, r, one);
  const __m256i exponent =
      _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  const __m256 e = _mm256_fmadd_ps(p, _mm256_castsi256_ps(exponent), one);
  const __m256 far = _mm256_sub_ps(one, _mm256_div_ps(_mm256_set1_ps(2.0F), e));
  const __m256 near = _mm256_cmp_ps(s, _mm256_set1_ps(0.0625F), _CMP_LT_OQ);
  return _mm256_blendv_ps(far, series, near);
}

SAFERL_AVX2 void TanhAvx2(const float* x, int rows, int width, float* y) {
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < width; j += 8)
      _mm256_storeu_ps(y + i * kTile + j, Tanh8(_mm256_loadu_ps(x + i * kTile + j)));
}

}  // namespace

const Kernels* Avx2Kernels() {
  static constexpr Kernels kTable{"avx2", ProductAvx2, OuterAvx2, TanhAvx2};
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kTable : nullptr;
}

}  // namespace saferl::learn

#else

namespace saferl::learn {
const Kernels* Avx2Kernels() { return nullptr; }
}  // namespace saferl::learn

#endif
