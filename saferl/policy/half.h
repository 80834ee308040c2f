#pragma once
// float16 (IEEE 754 binary16) as a way to store weights: half the memory of float32, so that a cold
// cache fills in half the time. A value that float16 can say is the same number in both; sums stay
// float32.
//
// Range: 2^-24 (below 2^-14 in steps of 2^-24) to 65504. RT: yes.

#include <bit>
#include <cmath>
#include <cstdint>

namespace saferl::policy {

inline constexpr float kHalfMost = 65504.0F;

/// To nearest, ties to even. |x| must be at most kHalfMost.
constexpr uint16_t HalfBits(float x) {
  constexpr uint32_t kExponentBias = (127U - 15U) << 10;
  const auto bits = std::bit_cast<uint32_t>(x);
  const uint32_t sign = bits >> 16 & 0x8000U;
  uint32_t size = bits & 0x7fffffffU;
  if (size < std::bit_cast<uint32_t>(0x1p-14F)) {
    // One unit in the last place of 0.5 is 2^-24: adding 0.5 rounds to whole steps.
    const float steps = std::bit_cast<float>(size) + 0.5F;
    return static_cast<uint16_t>(sign |
                                 (std::bit_cast<uint32_t>(steps) - std::bit_cast<uint32_t>(0.5F)));
  }
  size += 0x0fffU + (size >> 13 & 1U);
  return static_cast<uint16_t>(sign | ((size >> 13) - kExponentBias));
}

/// Of the bits of a finite float16.
constexpr float HalfValue(uint16_t half) {
  const uint32_t sign = (half & 0x8000U) << 16;
  const uint32_t size = half & 0x7fffU;
  const float value = size < 0x0400U ? static_cast<float>(size) * 0x1p-24F
                                     : std::bit_cast<float>((size << 13) + ((127U - 15U) << 23));
  return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | sign);
}

/// x itself where it is too large for float16 or not finite.
constexpr float NearestHalf(float x) {
  return x >= -kHalfMost && x <= kHalfMost ? HalfValue(HalfBits(x)) : x;
}

constexpr bool IsHalf(float x) {
  return x >= -kHalfMost && x <= kHalfMost && HalfValue(HalfBits(x)) == x;
}

}  // namespace saferl::policy
