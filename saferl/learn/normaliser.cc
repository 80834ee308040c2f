#include "saferl/learn/normaliser.h"

#include <algorithm>
#include <cmath>

namespace saferl::learn {

void Normaliser::Absorb(std::span<const float> rows) {
  const size_t n = mean.size();
  const size_t added = n == 0 ? 0 : rows.size() / n;
  if (added == 0) return;
  const auto b = static_cast<double>(added);
  for (size_t i = 0; i < n; ++i) {
    double sum = 0;
    for (size_t r = 0; r < added; ++r) sum += rows[r * n + i];
    const double batch_mean = sum / b;
    double batch_m2 = 0;
    for (size_t r = 0; r < added; ++r) {
      const double d = rows[r * n + i] - batch_mean;
      batch_m2 += d * d;
    }
    const double delta = batch_mean - mean[i];
    mean[i] += delta * b / (count + b);
    m2[i] += batch_m2 + delta * delta * count * b / (count + b);
  }
  count += b;
  Refresh();
}

void Normaliser::Refresh() {
  const std::vector<float> deviation = Deviation();
  for (size_t i = 0; i < mean.size(); ++i) {
    shift[i] = static_cast<float>(mean[i]);
    inverse_std[i] = 1.0F / deviation[i];
  }
}

std::vector<float> Normaliser::Deviation() const {
  constexpr double kFloor = 1e-2;
  std::vector<float> out(mean.size(), 1.0F);
  if (count < 2) return out;
  for (size_t i = 0; i < mean.size(); ++i)
    out[i] = static_cast<float>(std::max(kFloor, std::sqrt(m2[i] / count)));
  return out;
}

void Normaliser::Apply(std::span<const float> in, std::span<float> out) const {
  for (size_t i = 0; i < in.size(); ++i)
    out[i] = std::clamp((in[i] - shift[i]) * inverse_std[i], -kObsClip, kObsClip);
}

}  // namespace saferl::learn
