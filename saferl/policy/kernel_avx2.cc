// AVX2 + FMA + F16C kernel: blocks of 64 outputs in 8 vectors, of 32 in 4 vectors x 2 partial sums,
// and so on.
//
// Every function that uses the instructions carries the target attribute; all but RunAvx2 live in
// the unnamed namespace, so that none of its code can end up in a function the rest of the program
// shares.
// With cold caches, which is how a control tick finds them, the time is that of cache lines: those
// of the weights (float16 halves them) and those of the code. So the common path stands in one
// function without calls, constants lie beside the weights and activations on the caller's stack:
// 26 lines of code for 35, 12 pages for 14, a fifth less time from cold caches (48-64-64-8).
// Measured beside it and left out: a 512-bit kernel (no difference cold; its float16 slower hot),
// pairs of bfloat16 (no faster, 8 times as coarse), software prefetch, page alignment and huge
// pages (no difference cold), -Os (shorter, but slower both ways), tanh as a quotient of two
// polynomials (no faster, and noisy toward the ends).
#include <immintrin.h>

#include <cstddef>

#include "saferl/policy/activation.h"
#include "saferl/policy/kernel.h"

#define SAFERL_AVX2 __attribute__((target("avx2,fma,f16c")))
#define SAFERL_AVX2_INLINE SAFERL_AVX2 __attribute__((always_inline)) inline
#if defined(__clang__)
#define SAFERL_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SAFERL_UNROLL _Pragma("GCC unroll 16")
#endif

namespace saferl::policy {
namespace {

using V = __m256;

/// The operations that the formulas below are written in.
struct V8 {
  SAFERL_AVX2_INLINE static V Set(float x) { return _mm256_set1_ps(x); }
  SAFERL_AVX2_INLINE static V Load(const float* p) { return _mm256_load_ps(p); }
  SAFERL_AVX2_INLINE static V Load(const uint16_t* half) {
    return _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(half)));
  }
  SAFERL_AVX2_INLINE static void Store(float* p, V x) { _mm256_store_ps(p, x); }
  SAFERL_AVX2_INLINE static V LoadAnywhere(const float* p) { return _mm256_loadu_ps(p); }
  SAFERL_AVX2_INLINE static void StoreAnywhere(float* p, V x) { _mm256_storeu_ps(p, x); }
  /// The first n < 8 floats at p, the rest zero; touches nothing beyond them.
  SAFERL_AVX2_INLINE static V LoadFirst(const float* p, int n) {
    return _mm256_maskload_ps(p, First(n));
  }
  SAFERL_AVX2_INLINE static void StoreFirst(float* p, int n, V x) {
    _mm256_maskstore_ps(p, First(n), x);
  }
  SAFERL_AVX2_INLINE static __m256i First(int n) {
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), index);
  }
  SAFERL_AVX2_INLINE static V Add(V a, V b) { return _mm256_add_ps(a, b); }
  SAFERL_AVX2_INLINE static V Sub(V a, V b) { return _mm256_sub_ps(a, b); }
  SAFERL_AVX2_INLINE static V Mul(V a, V b) { return _mm256_mul_ps(a, b); }
  SAFERL_AVX2_INLINE static V Div(V a, V b) { return _mm256_div_ps(a, b); }
  SAFERL_AVX2_INLINE static V Fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  SAFERL_AVX2_INLINE static V NegFma(V a, V b, V c) { return _mm256_fnmadd_ps(a, b, c); }
  SAFERL_AVX2_INLINE static V Min(V a, V b) { return _mm256_min_ps(a, b); }  // a NaN in b stays
  SAFERL_AVX2_INLINE static V Max(V a, V b) { return _mm256_max_ps(a, b); }  // a NaN in b stays
  SAFERL_AVX2_INLINE static V And(V a, V b) { return _mm256_and_ps(a, b); }
  SAFERL_AVX2_INLINE static V AndNot(V a, V b) { return _mm256_andnot_ps(a, b); }
  SAFERL_AVX2_INLINE static V Or(V a, V b) { return _mm256_or_ps(a, b); }
  /// 2^n for magic = TanhFormula::round + n and one = 1, whose bits are those of 2^0.
  SAFERL_AVX2_INLINE static V Pow2(V magic, V one) {
    const __m256i n = _mm256_slli_epi32(_mm256_castps_si256(magic), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(n, _mm256_castps_si256(one)));
  }
  SAFERL_AVX2_INLINE static bool AnyNaN(V x) {
    return _mm256_movemask_ps(_mm256_cmp_ps(x, x, _CMP_UNORD_Q)) != 0;
  }
};

SAFERL_AVX2_INLINE V TanhV(const TanhFormula& f, V x) {
  const V sign = V8::And(x, V8::Set(f.sign));
  const V y = V8::Min(V8::Set(f.limit), V8::AndNot(sign, x));
  const V magic = V8::Fma(y, V8::Set(f.two_log2e), V8::Set(f.round));
  const V h = V8::NegFma(V8::Sub(magic, V8::Set(f.round)), V8::Set(f.half_ln2), y);
  const V h2 = V8::Mul(h, h);
  const V low = V8::Fma(V8::Set(f.p[1]), h, V8::Set(f.p[0]));
  const V high = V8::Fma(V8::Set(f.p[4]), h2, V8::Fma(V8::Set(f.p[3]), h, V8::Set(f.p[2])));
  const V one = V8::Set(f.one);
  const V scale = V8::Pow2(magic, one);
  const V e = V8::Fma(V8::Mul(h, V8::Fma(high, h2, low)), scale, V8::Sub(scale, one));
  return V8::Or(V8::Div(e, V8::Add(e, V8::Set(f.two))), sign);
}

/// n8 sums in place; out of the way of the common activation.
SAFERL_AVX2 __attribute__((noinline)) void AnyActivation(const TanhFormula& f,
                                                         Activation activation, int n8, float* y) {
  if (activation == Activation::kTanh) {
    for (int i = 0; i < n8; i += 8) V8::Store(y + i, TanhV(f, V8::Load(y + i)));
  } else if (activation == Activation::kRelu) {
    for (int i = 0; i < n8; i += 8)
      V8::Store(y + i, V8::Max(V8::Set(0.0F), V8::Load(y + i)));  // a NaN stays
  } else if (activation == Activation::kSigmoid) {
    const V half = V8::Set(0.5F);
    for (int i = 0; i < n8; i += 8)
      V8::Store(y + i, V8::Fma(half, TanhV(f, V8::Mul(half, V8::Load(y + i))), half));
  }
}

/// Partial sums [kFirst, kFirst + kCount) of vector v, as a balanced tree. (As a loop over steps it
/// is not unrolled, and the sums go through memory.)
template <int kFirst, int kCount, int kVectors>
SAFERL_AVX2_INLINE V SumV(const V (*acc)[kVectors], int v) {
  if constexpr (kCount == 1) {
    return acc[kFirst][v];
  } else {
    constexpr int kHalf = kCount / 2;
    return V8::Add(SumV<kFirst, kHalf>(acc, v), SumV<kFirst + kHalf, kHalf>(acc, v));
  }
}

SAFERL_AVX2_INLINE const float* AtCacheLine(const void* p) {
  constexpr uintptr_t kMask = kPackAlign - 1;
  return reinterpret_cast<const float*>((reinterpret_cast<uintptr_t>(p) + kMask) & ~kMask);
}

/// kVectors vectors of outputs, kSums partial sums each: kVectors * kSums = 8 independent chains
/// hide the latency of the FMA. Returns where the next block starts.
template <int kVectors, int kSums, class Weight>
SAFERL_AVX2_INLINE const float* BlockV(const float* bias, const float* x, int in8, float* y) {
  V acc[kSums][kVectors];
  SAFERL_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    acc[0][v] = V8::Load(bias + v * 8);
    SAFERL_UNROLL
    for (int c = 1; c < kSums; ++c) acc[c][v] = V8::Set(0.0F);
  }
  const auto* w = reinterpret_cast<const Weight*>(bias + kVectors * 8);
  const float* end = x + in8;
  do {
    SAFERL_UNROLL
    for (int c = 0; c < kSums; ++c) {
      const V xk = V8::Set(x[c]);
      SAFERL_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        acc[c][v] = V8::Fma(xk, V8::Load(w + (c * kVectors + v) * 8), acc[c][v]);
      }
    }
    w += kSums * kVectors * 8;
    x += kSums;
  } while (x != end);
  SAFERL_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    V8::Store(y + v * 8, SumV<0, kSums>(acc, v));
  }
  return AtCacheLine(w);
}

/// In place, byte k where float k / 4 was; false when one is not finite. A group of 8 is read
/// before its bytes are written, and those never reach a group that was not read.
SAFERL_AVX2_INLINE bool QuantiseInputV(const Int8Input& input, int in8, float* x) {
  const V per_unit = V8::Set(input.per_unit);
  const __m256i zero = _mm256_set1_epi32(input.zero);
  const __m256i low = _mm256_set1_epi32(input.low);
  const __m256i high = _mm256_set1_epi32(127);
  const V none = V8::Set(0.0F);
  V finite = none;
  auto* u = reinterpret_cast<char*>(x);
  for (int k = 0; k < in8; k += 8) {
    const V value = V8::Load(x + k);
    finite = V8::Fma(value, none, finite);
    const V held = V8::Min(V8::Max(V8::Mul(value, per_unit), V8::Set(-128.0F)), V8::Set(127.0F));
    __m256i q = _mm256_add_epi32(_mm256_cvtps_epi32(held), zero);
    q = _mm256_min_epi32(_mm256_max_epi32(q, low), high);
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(u + k), _mm_packus_epi16(words, words));
  }
  return !V8::AnyNaN(finite);
}

/// kVectors vectors of 8 whole sums; 4 inputs of each at a time.
template <int kVectors>
SAFERL_AVX2_INLINE const float* Int8BlockV(const float* w, const char* u, int in8, float* y) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i acc[kVectors];
  SAFERL_UNROLL
  for (int v = 0; v < kVectors; ++v)
    acc[v] = _mm256_load_si256(reinterpret_cast<const __m256i*>(w + v * 8));
  const auto* q = reinterpret_cast<const __m256i*>(w + 3 * kVectors * 8);
  for (int k = 0; k < in8; k += 4, q += kVectors) {
    int32_t four;
    __builtin_memcpy(&four, u + k, sizeof four);
    const __m256i inputs = _mm256_set1_epi32(four);
    SAFERL_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const __m256i pairs = _mm256_maddubs_epi16(inputs, _mm256_load_si256(q + v));
      acc[v] = _mm256_add_epi32(acc[v], _mm256_madd_epi16(pairs, ones));
    }
  }
  SAFERL_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const V scaled = V8::Mul(_mm256_cvtepi32_ps(acc[v]), V8::Load(w + (kVectors + v) * 8));
    const V sum = V8::Add(scaled, V8::Load(w + (2 * kVectors + v) * 8));
    V8::Store(y + v * 8, sum);
  }
  return AtCacheLine(q);
}

template <int kVectors>
SAFERL_AVX2_INLINE const float* AnyBlockV(const PackedLayer& layer, const float* w, const float* x,
                                          float* y) {
  if (layer.int8) return Int8BlockV<kVectors>(w, reinterpret_cast<const char*>(x), layer.in8, y);
  if (layer.half) return BlockV<kVectors, 8 / kVectors, uint16_t>(w, x, layer.in8, y);
  return BlockV<kVectors, 8 / kVectors, float>(w, x, layer.in8, y);
}

/// The sums of any layer, out of the way of the common one; null when an input is not finite.
SAFERL_AVX2 __attribute__((noinline)) const float* AnyLayer(const PackedLayer& layer,
                                                            const float* w, float* x, float* y) {
  if (layer.int8 && !QuantiseInputV(layer.input, layer.in8, x)) return nullptr;
  for (int out = 0; out < layer.out8;) {
    const int width = BlockWidth(layer.out8 - out);
    if (width == 64) {
      w = AnyBlockV<8>(layer, w, x, y + out);
    } else if (width == 32) {
      w = AnyBlockV<4>(layer, w, x, y + out);
    } else if (width == 16) {
      w = AnyBlockV<2>(layer, w, x, y + out);
    } else {
      w = AnyBlockV<1>(layer, w, x, y + out);
    }
    out += width;
  }
  return w;
}

/// Normalises one vector of the observation into a. `finite` stays 0, or becomes NaN.
SAFERL_AVX2_INLINE V NormaliseV(const PackedNetwork& net, int i, V o, V finite, float* a) {
  const float* mean = net.data() + i;
  const V z = V8::Mul(V8::Sub(o, V8::Load(mean)), V8::Load(mean + net.layers[0].in8));
  const V clip = V8::Set(net.obs_clip);
  V8::Store(a + i, V8::Min(V8::Max(z, V8::Sub(V8::Set(0.0F), clip)), clip));
  return V8::Fma(o, V8::Set(0.0F), finite);
}

/// The last n < 8 of the observation.
SAFERL_AVX2 __attribute__((noinline)) bool NormaliseRest(const PackedNetwork& net, int i, int n,
                                                         const float* o, float* a) {
  return !V8::AnyNaN(NormaliseV(net, i, V8::LoadFirst(o + i, n), V8::Set(0.0F), a));
}

/// The last n < 8 of the action.
SAFERL_AVX2 __attribute__((noinline)) void CopyRest(const float* y, int n, float* action) {
  V8::StoreFirst(action, n, V8::Load(y));
}

}  // namespace

/// What a trained policy runs, layers of 64s and 8s in float16 and tanh, stands here within few
/// cache lines; all else is called.
SAFERL_AVX2 bool RunAvx2(const PackedNetwork& net, const float* observation, float* action) {
  alignas(32) float a[kMaxWidth];
  alignas(32) float b[kMaxWidth];
  float* x = a;
  float* y = b;
  V finite = V8::Set(0.0F);
  int i = 0;
  for (; i + 8 <= net.n_obs; i += 8)
    finite = NormaliseV(net, i, V8::LoadAnywhere(observation + i), finite, x);
  if (V8::AnyNaN(finite)) return false;
  if (i < net.n_obs && !NormaliseRest(net, i, net.n_obs - i, observation, x)) return false;
  const PackedLayer* layer = net.layers;
  const PackedLayer* end = layer + net.n_layers;
  const float* w = net.data() + 2 * static_cast<ptrdiff_t>(layer->in8);
  int out8;
  do {
    out8 = layer->out8;
    if (layer->common) {
      float* at = y;
      int left = out8;
      for (; left >= 64; left -= 64, at += 64) w = BlockV<8, 1, uint16_t>(w, x, layer->in8, at);
      if (left > 0) w = BlockV<1, 8, uint16_t>(w, x, layer->in8, at);
    } else {
      w = AnyLayer(*layer, w, x, y);
      if (w == nullptr) return false;
    }
    if (layer->activation == Activation::kTanh) {
      for (i = 0; i < out8; i += 8) V8::Store(y + i, TanhV(net.tanh, V8::Load(y + i)));
    } else {
      AnyActivation(net.tanh, layer->activation, out8, y);
    }
    float* t = x;
    x = y;
    y = t;
  } while (++layer != end);
  if (net.squash) AnyActivation(net.tanh, Activation::kTanh, out8, x);
  finite = V8::Set(0.0F);
  for (i = 0; i < out8; i += 8) {
    const V v = V8::Fma(V8::Load(w + i), V8::Load(x + i), V8::Load(w + out8 + i));
    finite = V8::Fma(v, V8::Set(0.0F), finite);
    V8::Store(x + i, v);
  }
  if (V8::AnyNaN(finite)) return false;
  for (i = 0; i + 8 <= net.n_act; i += 8) V8::StoreAnywhere(action + i, V8::Load(x + i));
  if (i < net.n_act) CopyRest(x + i, net.n_act - i, action + i);
  return true;
}

}  // namespace saferl::policy
