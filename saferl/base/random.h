#pragma once
// Deterministic random numbers: xoshiro256++ seeded by splitmix64. The same seed gives the same
// stream on every machine, compiler and thread count; streams are split by number, never shared
// between threads.
//
// RT: yes (no allocation, no lock). Cost: about 1 ns a draw, 15 ns a normal.
// Source: Blackman & Vigna, "Scrambled linear pseudorandom number generators" (2021).

#include <cmath>
#include <cstdint>

namespace saferl {

class Random {
 public:
  explicit Random(uint64_t seed = 0, uint64_t stream = 0) {
    uint64_t x = seed ^ (stream * 0x9e3779b97f4a7c15ULL + 0x2545f4914f6cdd1dULL);
    for (uint64_t& word : s_) {
      x += 0x9e3779b97f4a7c15ULL;
      uint64_t z = x;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
      word = z ^ (z >> 31);
    }
  }

  uint64_t NextU64() {
    const uint64_t result = Rotl(s_[0] + s_[3], 23) + s_[0];
    const uint64_t t = s_[1] << 17;
    s_[2] ^= s_[0];
    s_[3] ^= s_[1];
    s_[1] ^= s_[2];
    s_[0] ^= s_[3];
    s_[2] ^= t;
    s_[3] = Rotl(s_[3], 45);
    return result;
  }

  /// Uniform in [0, 1).
  double Uniform() { return static_cast<double>(NextU64() >> 11) * 0x1.0p-53; }
  /// Uniform in [low, high).
  double Uniform(double low, double high) { return low + (high - low) * Uniform(); }
  /// Uniform integer in [0, n), n > 0.
  int Index(int n) { return static_cast<int>(Uniform() * n); }
  bool Chance(double probability) { return Uniform() < probability; }
  /// Standard normal (Box-Muller; draws two uniforms each time, so that the stream position is a
  /// fixed function).
  double Normal() {
    const double u = 1.0 - Uniform();
    const double v = Uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586 * v);
  }
  /// A generator whose stream does not overlap this one's in practice.
  Random Split(uint64_t stream) { return Random(NextU64(), stream); }

  /// The whole state, for checkpoints.
  const uint64_t* state() const { return s_; }
  void set_state(const uint64_t* words) {
    for (int i = 0; i < 4; ++i) s_[i] = words[i];
  }

 private:
  static uint64_t Rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  uint64_t s_[4];
};

}  // namespace saferl
