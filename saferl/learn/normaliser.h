#pragma once
// Running mean and deviation of observations: (o - mean) / std, clipped to +-kObsClip.
//
// RT: no (training). The same numbers go into the policy package, where inference applies them.
// Source: Chan, Golub & LeVeque (1979), merging of means and sums of squares.

#include <span>
#include <vector>

namespace saferl::learn {

inline constexpr float kObsClip = 10.0F;

struct Normaliser {
  double count = 0;
  std::vector<double> mean, m2;           ///< (n) mean and sum of squared deviations
  std::vector<float> shift, inverse_std;  ///< (n) what Apply uses; refreshed by Absorb

  explicit Normaliser(int n = 0) : mean(n), m2(n), shift(n), inverse_std(n, 1.0F) {}

  /// Merges rows (count x n) into the statistics.
  void Absorb(std::span<const float> rows);
  /// out = clip((in - mean) / std).
  void Apply(std::span<const float> in, std::span<float> out) const;
  /// Standard deviations with a floor that keeps constant features harmless.
  std::vector<float> Deviation() const;
  /// Recomputes shift and inverse_std from mean and m2.
  void Refresh();
};

}  // namespace saferl::learn
