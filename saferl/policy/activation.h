#pragma once
// The activation functions of a policy network, in float32, the same formula in every kernel.
//
//   tanh(x) = sign(x) e / (e + 2),  e = exp(2|x|) - 1 = 2^n r p(r) + (2^n - 1)
//     with 2|x| = n ln 2 + r, |r| <= ln 2 / 2
//   sigmoid(x) = (1 + tanh(x / 2)) / 2
//
// p is the degree-5 polynomial nearest to (exp(r) - 1) / r in relative error (1.1e-8), found by
// Lawson's iteration.
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

inline constexpr float kTanhLimit = 20.0F;  ///< 2|x| is clamped here: tanh(10) rounds to 1
inline constexpr float kLog2E = 1.44269504F;
inline constexpr float kLn2 = 0.693147182F;
inline constexpr float kRoundMagic = 12582912.0F;  ///< 1.5 * 2^23: adding it rounds to an integer
inline constexpr float kExpm1[6] = {1.0F,           0x1.fffffep-2F, 0x1.55547ep-3F,
                                    0x1.555652p-5F, 0x1.123cd6p-7F, 0x1.6c16a6p-10F};

/// The portable form. The vector kernels fuse multiply and add, and may differ from it in the last
/// bits.
inline float Tanh(float x) {
  float y = 2.0F * std::fabs(x);
  y = y > kTanhLimit ? kTanhLimit : y;
  const float magic = y * kLog2E + kRoundMagic;
  const float r = y - (magic - kRoundMagic) * kLn2;
  float p = kExpm1[5];
  for (int i = 4; i >= 0; --i) p = p * r + kExpm1[i];
  const float scale = std::bit_cast<float>((std::bit_cast<uint32_t>(magic) << 23) + (127U << 23));
  const float e = (p * r) * scale + (scale - 1.0F);
  return std::copysign(e / (e + 2.0F), x);
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
