#include "saferl/math/trig.h"

#include <bit>
#include <cmath>
#include <cstdint>

namespace saferl::math {
namespace {

constexpr double kFar = 1e5;
constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
// pi/2 = kHigh + kMiddle + kLow; the first two have 33 bits, so that their products with a whole
// number below 2^20 are exact.
constexpr double kHigh = 0x1.921fb544p+0, kMiddle = 0x1.0b4611a6p-34, kLow = 0x1.3198a2e037073p-69;
// Adding it leaves the nearest whole number in the low bits of the significand.
constexpr double kRounder = 0x1.8p+52;

/// 1 / n!
constexpr double Inverse(int n) {
  double product = 1;
  for (int i = 2; i <= n; ++i) product *= i;
  return 1 / product;
}

inline SinCosPair Near(double x) {
  const double rounded = x * kTwoOverPi + kRounder;
  const double turns = rounded - kRounder;
  const uint64_t quarter = std::bit_cast<uint64_t>(rounded);
  const double r = ((x - turns * kHigh) - turns * kMiddle) - turns * kLow;
  const double z = r * r;
  // sin r = r - r z S(z),  cos r = 1 - (z / 2 - z^2 C(z))
  const double s =
      Inverse(3) -
      z * (Inverse(5) -
           z * (Inverse(7) -
                z * (Inverse(9) - z * (Inverse(11) - z * (Inverse(13) - z * Inverse(15))))));
  const double c =
      Inverse(4) -
      z * (Inverse(6) -
           z * (Inverse(8) -
                z * (Inverse(10) - z * (Inverse(12) - z * (Inverse(14) - z * Inverse(16))))));
  const double sine = r - r * z * s, cosine = 1 - (0.5 * z - z * z * c);
  // Quarter turns swap the two and change signs: bit 0 swaps, bit 1 turns both.
  const uint64_t swap = 0 - (quarter & 1);
  const uint64_t a = std::bit_cast<uint64_t>(sine), b = std::bit_cast<uint64_t>(cosine);
  const uint64_t changed = (a ^ b) & swap;
  const uint64_t sine_sign = (quarter & 2) << 62, cosine_sign = ((quarter + 1) & 2) << 62;
  return {std::bit_cast<double>(a ^ changed ^ sine_sign),
          std::bit_cast<double>(b ^ changed ^ cosine_sign)};
}

}  // namespace

SinCosPair SinCos(double x) {
  if (!(std::abs(x) <= kFar)) return {std::sin(x), std::cos(x)};
  return Near(x);
}

void SinCos(const double* x, int n, double* sin, double* cos) {
  bool near = true;
  for (int i = 0; i < n; ++i) near &= std::abs(x[i]) <= kFar;
  for (int i = 0; i < n && near; ++i) {
    const SinCosPair pair = Near(x[i]);
    sin[i] = pair.sin;
    cos[i] = pair.cos;
  }
  for (int i = 0; i < n && !near; ++i) {
    const SinCosPair pair = SinCos(x[i]);
    sin[i] = pair.sin;
    cos[i] = pair.cos;
  }
}

}  // namespace saferl::math
