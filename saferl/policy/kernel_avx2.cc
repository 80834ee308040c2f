// AVX2 + FMA + F16C kernel: blocks of 64 outputs in 8 vectors, of 32 in 4 vectors x 2 partial sums,
// and so on.
//
// Every function that uses the instructions carries the target attribute and lives in the unnamed
// namespace, so that none of its code can end up in a function the rest of the program shares.
// With cold caches, which is how a control tick finds them, the time is that of the cache lines of
// the weights: float16 weights take 0.33 us where float32 takes 0.5, and the same when hot.
// Measured beside it and left out: a 512-bit kernel (no difference cold; its float16 slower hot),
// pairs of bfloat16 (no faster, 8 times as coarse) and software prefetch (slower hot, no difference
// cold).
#include <immintrin.h>

#include <cstddef>
#include <limits>

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
  /// The first min(n, 8) floats at p, the rest zero; reads nothing beyond them.
  SAFERL_AVX2_INLINE static V LoadPart(const float* p, int n) {
    if (n >= 8) return _mm256_loadu_ps(p);
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(n), index));
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
  /// 2^n for magic = kRoundMagic + n.
  SAFERL_AVX2_INLINE static V Pow2(V magic) {
    const __m256i n = _mm256_slli_epi32(_mm256_castps_si256(magic), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(n, _mm256_set1_epi32(127 << 23)));
  }
  SAFERL_AVX2_INLINE static V NotFinite(V x) {
    const V size = _mm256_andnot_ps(Set(-0.0F), x);
    return _mm256_cmp_ps(size, Set(std::numeric_limits<float>::max()), _CMP_NLE_UQ);
  }
  SAFERL_AVX2_INLINE static bool Any(V mask) { return _mm256_movemask_ps(mask) != 0; }
};

SAFERL_AVX2_INLINE V TanhV(V x) {
  const V sign = V8::And(x, V8::Set(-0.0F));
  const V y = V8::Min(V8::Set(kTanhLimit), V8::Mul(V8::AndNot(sign, x), V8::Set(2.0F)));
  const V magic = V8::Fma(y, V8::Set(kLog2E), V8::Set(kRoundMagic));
  const V r = V8::NegFma(V8::Sub(magic, V8::Set(kRoundMagic)), V8::Set(kLn2), y);
  V p = V8::Set(kExpm1[5]);
  SAFERL_UNROLL
  for (int i = 4; i >= 0; --i) p = V8::Fma(p, r, V8::Set(kExpm1[i]));
  const V scale = V8::Pow2(magic);
  const V e = V8::Fma(V8::Mul(p, r), scale, V8::Sub(scale, V8::Set(1.0F)));
  return V8::Or(V8::Div(e, V8::Add(e, V8::Set(2.0F))), sign);
}

/// n8 sums in place. One short loop for all layers: its vectors overlap in the processor by
/// themselves, and a cold instruction cache has little to fetch.
SAFERL_AVX2 __attribute__((noinline)) void Activate(Activation activation, int n8, float* y) {
  if (activation == Activation::kTanh) {
    for (int i = 0; i < n8; i += 8) V8::Store(y + i, TanhV(V8::Load(y + i)));
  } else if (activation == Activation::kRelu) {
    for (int i = 0; i < n8; i += 8)
      V8::Store(y + i, V8::Max(V8::Set(0.0F), V8::Load(y + i)));  // a NaN stays
  } else if (activation == Activation::kSigmoid) {
    const V half = V8::Set(0.5F);
    for (int i = 0; i < n8; i += 8)
      V8::Store(y + i, V8::Fma(half, TanhV(V8::Mul(half, V8::Load(y + i))), half));
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

/// kVectors vectors of outputs, kSums partial sums each: kVectors * kSums = 8 independent chains
/// hide the latency of the FMA.
template <int kVectors, int kSums, class Weight>
SAFERL_AVX2_INLINE void BlockV(const float* bias, const float* x, int in8, float* y) {
  V acc[kSums][kVectors];
  SAFERL_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    acc[0][v] = V8::Load(bias + v * 8);
    SAFERL_UNROLL
    for (int c = 1; c < kSums; ++c) acc[c][v] = V8::Set(0.0F);
  }
  const auto* w = reinterpret_cast<const Weight*>(bias + kVectors * 8);
  for (int k = 0; k < in8; k += kSums) {
    SAFERL_UNROLL
    for (int c = 0; c < kSums; ++c) {
      const V xk = V8::Set(x[k + c]);
      SAFERL_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        acc[c][v] = V8::Fma(xk, V8::Load(w + (c * kVectors + v) * 8), acc[c][v]);
      }
    }
    w += kSums * kVectors * 8;
  }
  SAFERL_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    V8::Store(y + v * 8, SumV<0, kSums>(acc, v));
  }
}

template <class Weight>
SAFERL_AVX2 void RunBlock(int width, const float* w, const float* x, int in8, float* y) {
  switch (width) {
    case 64:
      return BlockV<8, 1, Weight>(w, x, in8, y);
    case 32:
      return BlockV<4, 2, Weight>(w, x, in8, y);
    case 16:
      return BlockV<2, 4, Weight>(w, x, in8, y);
    default:
      return BlockV<1, 8, Weight>(w, x, in8, y);
  }
}

/// In place, byte k where float k / 4 was; false when one is not finite. A group of 8 is read
/// before its bytes are written, and those never reach a group that was not read.
SAFERL_AVX2_INLINE bool QuantiseInputV(const Int8Input& input, int in8, float* x) {
  const V per_unit = V8::Set(input.per_unit);
  const __m256i zero = _mm256_set1_epi32(input.zero);
  const __m256i low = _mm256_set1_epi32(input.low);
  const __m256i high = _mm256_set1_epi32(127);
  V bad = V8::Set(0.0F);
  auto* u = reinterpret_cast<char*>(x);
  for (int k = 0; k < in8; k += 8) {
    const V value = V8::Load(x + k);
    bad = V8::Or(bad, V8::NotFinite(value));
    const V held = V8::Min(V8::Max(V8::Mul(value, per_unit), V8::Set(-128.0F)), V8::Set(127.0F));
    __m256i q = _mm256_add_epi32(_mm256_cvtps_epi32(held), zero);
    q = _mm256_min_epi32(_mm256_max_epi32(q, low), high);
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(u + k), _mm_packus_epi16(words, words));
  }
  return !V8::Any(bad);
}

/// kVectors vectors of 8 whole sums; 4 inputs of each at a time.
template <int kVectors>
SAFERL_AVX2_INLINE void Int8BlockV(const float* w, const char* u, int in8, float* y) {
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
}

SAFERL_AVX2 void RunInt8Block(int width, const float* w, const float* x, int in8, float* y) {
  const auto* u = reinterpret_cast<const char*>(x);
  switch (width) {
    case 64:
      return Int8BlockV<8>(w, u, in8, y);
    case 32:
      return Int8BlockV<4>(w, u, in8, y);
    case 16:
      return Int8BlockV<2>(w, u, in8, y);
    default:
      return Int8BlockV<1>(w, u, in8, y);
  }
}

/// Normalises into a; false when an input is not finite.
SAFERL_AVX2_INLINE bool NormaliseV(const PackedNetwork& net, const float* observation, float* a) {
  const int in8 = RoundUp8(net.n_obs);
  const float* mean = net.data();
  const float* inv_std = net.data() + in8;
  const V clip = V8::Set(net.obs_clip);
  const V neg_clip = V8::Set(-net.obs_clip);
  V bad = V8::Set(0.0F);
  for (int i = 0; i < in8; i += 8) {
    const V o = V8::LoadPart(observation + i, net.n_obs - i);
    bad = V8::Or(bad, V8::NotFinite(o));
    const V z = V8::Mul(V8::Sub(o, V8::Load(mean + i)), V8::Load(inv_std + i));
    V8::Store(a + i, V8::Min(V8::Max(z, neg_clip), clip));
  }
  return !V8::Any(bad);
}

/// Squash, scale, check, and copy out.
SAFERL_AVX2_INLINE bool FinishV(const PackedNetwork& net, const float* w, float* y, float* action) {
  const int out8 = RoundUp8(net.n_act);
  if (net.squash) Activate(Activation::kTanh, out8, y);
  V bad = V8::Set(0.0F);
  for (int i = 0; i < out8; i += 8) {
    const V v = V8::Fma(V8::Load(w + i), V8::Load(y + i), V8::Load(w + out8 + i));
    bad = V8::Or(bad, V8::NotFinite(v));
    V8::Store(y + i, v);
  }
  if (V8::Any(bad)) return false;
  for (int i = 0; i < net.n_act; ++i) action[i] = y[i];
  return true;
}

SAFERL_AVX2 bool RunV(const PackedNetwork& net, const float* observation, float* action,
                      PolicyScratch* scratch) {
  float* x = scratch->a;
  float* y = scratch->b;
  if (!NormaliseV(net, observation, x)) return false;
  const float* w = net.data() + 2 * RoundUp8(net.n_obs);
  for (int l = 0; l < net.n_layers; ++l) {
    const PackedLayer& layer = net.layers[l];
    if (layer.int8 && !QuantiseInputV(layer.input, layer.in8, x)) return false;
    for (int out = 0; out < layer.out8;) {
      const int width = BlockWidth(layer.out8 - out);
      if (layer.int8) {
        RunInt8Block(width, w, x, layer.in8, y + out);
      } else if (layer.half) {
        RunBlock<uint16_t>(width, w, x, layer.in8, y + out);
      } else {
        RunBlock<float>(width, w, x, layer.in8, y + out);
      }
      w += BlockFloats(layer, width);
      out += width;
    }
    Activate(layer.activation, layer.out8, y);
    float* t = x;
    x = y;
    y = t;
  }
  return FinishV(net, w, x, action);
}

}  // namespace

bool RunAvx2(const PackedNetwork& net, const float* observation, float* action,
             PolicyScratch* scratch) {
  return RunV(net, observation, action, scratch);
}

}  // namespace saferl::policy
