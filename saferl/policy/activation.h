#pragma once
// The activation functions of a policy network, in float32, the same formula in every kernel.
//
//   tanh(x) = sign(x) e / (e + 2),  e = exp(2|x|) - 1 = 2^n h p(h) + (2^n - 1)
//     with 2|x| = n ln 2 + 2 h, |h| <= ln 2 / 4
//   sigmoid(x) = (1 + tanh(x / 2)) / 2
//
// h p(h) = exp(2 h) - 1 with the degree-4 polynomial p that is nearest in relative error (4.5e-7)
// among those with p(0) = 2, found by Lawson's iteration. Its terms are paired (Estrin), so that
// few operations wait for each other.
// Errors: |Tanh(x) - tanh(x)| <= 3e-7 for every float32 (1.2e-7 measured), odd in every bit,
//   monotone to two units in the last place toward the ends, never above 1, exactly 1 from |x| = 10
//   on. NaN stays NaN. activation_test.cc checks each of these.
// RT: yes. Cost: one division and about 15 other operations.
// Source: Cody & Waite, "Software Manual for the Elementary Functions" (1980), chapters 6 and 13
// (range reduction).

#include <bit>
#include <cmath>
#include <cstdint>

#include "saferl/policy/policy.h"

namespace saferl::policy {

/// The constants of Tanh. A packed network carries them next to its weights (kernel.h).
struct TanhFormula {
  float limit = 10.0F;  ///< |x| is clamped here: tanh(10) rounds to 1
  float two_log2e = 2.88539008F;
  float round = 12582912.0F;  ///< 1.5 * 2^23: adding it rounds to an integer
  float half_ln2 = 0.346573591F;
  float p[5] = {2.0F, 0x1.fffe7p+0F, 0x1.555632p+0F, 0x1.570522p-1F, 0x1.1138d2p-2F};
  float one = 1.0F, two = 2.0F, sign = -0.0F;
};
inline constexpr TanhFormula kTanh;

/// The portable form. The vector kernels fuse multiply and add, and may differ from it in the last
/// bits.
inline float Tanh(float x) {
  const TanhFormula& f = kTanh;
  float y = std::fabs(x);
  y = y > f.limit ? f.limit : y;
  const float magic = y * f.two_log2e + f.round;
  const float h = y - (magic - f.round) * f.half_ln2;
  const float h2 = h * h;
  const float p = (f.p[0] + f.p[1] * h) + h2 * ((f.p[2] + f.p[3] * h) + h2 * f.p[4]);
  const float scale = std::bit_cast<float>((std::bit_cast<uint32_t>(magic) << 23) + (127U << 23));
  const float e = (h * p) * scale + (scale - f.one);
  return std::copysign(e / (e + f.two), x);
}

inline float Sigmoid(float x) { return 0.5F * Tanh(0.5F * x) + 0.5F; }

/// std::max would drop a NaN on one side only; this keeps it, so that Forward can see it.
inline float Relu(float x) { return x < 0.0F ? 0.0F : x; }

inline float Activate(Activation activation, float x) {
  switch (activation) {
    case Activation::kTanh:
      return Tanh(x);
    case Activation::kRelu:
      return Relu(x);
    case Activation::kSigmoid:
      return Sigmoid(x);
    case Activation::kIdentity:
      return x;
  }
  return x;
}

}  // namespace saferl::policy
