#include "saferl/math/trig.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

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
constexpr double kI3 = Inverse(3), kI5 = Inverse(5), kI7 = Inverse(7), kI9 = Inverse(9),
                 kI11 = Inverse(11), kI13 = Inverse(13), kI15 = Inverse(15);
constexpr double kI4 = Inverse(4), kI6 = Inverse(6), kI8 = Inverse(8), kI10 = Inverse(10),
                 kI12 = Inverse(12), kI14 = Inverse(14), kI16 = Inverse(16);

/// Angles, and their bits: one (double) or two side by side.
using Pair = double __attribute__((vector_size(16)));
using PairBits = uint64_t __attribute__((vector_size(16)));
inline uint64_t ToBits(double x) { return std::bit_cast<uint64_t>(x); }
inline double ToNumber(uint64_t x) { return std::bit_cast<double>(x); }
inline PairBits ToBits(Pair x) { return reinterpret_cast<PairBits>(x); }
inline Pair ToNumber(PairBits x) { return reinterpret_cast<Pair>(x); }

/// The same operations in the same order for one angle and for two: the same bits.
template <typename Number>
inline void Near(Number x, Number* sin, Number* cos) {
  const Number rounded = x * kTwoOverPi + kRounder;
  const Number turns = rounded - kRounder;
  const auto quarter = ToBits(rounded);
  const Number r = ((x - turns * kHigh) - turns * kMiddle) - turns * kLow;
  const Number z = r * r;
  // sin r = r - r z S(z),  cos r = 1 - (z / 2 - z^2 C(z))
  const Number s = kI3 - z * (kI5 - z * (kI7 - z * (kI9 - z * (kI11 - z * (kI13 - z * kI15)))));
  const Number c = kI4 - z * (kI6 - z * (kI8 - z * (kI10 - z * (kI12 - z * (kI14 - z * kI16)))));
  // Quarter turns swap the two and change signs: bit 0 swaps, bit 1 turns both.
  const auto a = ToBits(r - r * z * s), b = ToBits(1 - (0.5 * z - z * z * c));
  const auto changed = (a ^ b) & (0 - (quarter & 1));
  *sin = ToNumber(a ^ changed ^ ((quarter & 2) << 62));
  *cos = ToNumber(b ^ changed ^ (((quarter + 1) & 2) << 62));
}

}  // namespace

SinCosPair SinCos(double x) {
  if (!(std::abs(x) <= kFar)) return {std::sin(x), std::cos(x)};
  SinCosPair pair;
  Near(x, &pair.sin, &pair.cos);
  return pair;
}

void SinCos(const double* x, int n, double* sin, double* cos) {
  int i = 0;
  for (; i + 1 < n && std::abs(x[i]) <= kFar && std::abs(x[i + 1]) <= kFar; i += 2) {
    Pair angle, sine, cosine;
    std::memcpy(&angle, x + i, sizeof angle);
    Near(angle, &sine, &cosine);
    std::memcpy(sin + i, &sine, sizeof sine);
    std::memcpy(cos + i, &cosine, sizeof cosine);
  }
  for (; i < n; ++i) {
    const SinCosPair pair = SinCos(x[i]);
    sin[i] = pair.sin;
    cos[i] = pair.cos;
  }
}

}  // namespace saferl::math
