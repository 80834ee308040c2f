#include "saferl/learn/adam.h"

#include <cmath>

namespace saferl::learn {

bool Adam::Update(std::span<float> params, std::span<float> grad, double learning_rate,
                  double max_norm) {
  constexpr double kBeta1 = 0.9, kBeta2 = 0.999;
  constexpr float kEpsilon = 1e-8F;
  double norm2 = 0;
  for (const float g : grad) norm2 += static_cast<double>(g) * g;
  if (!std::isfinite(norm2)) return false;
  const double norm = std::sqrt(norm2);
  const auto scale = static_cast<float>(norm > max_norm ? max_norm / norm : 1.0);

  ++step;
  const double t = static_cast<double>(step);
  const double correction1 = 1 - std::pow(kBeta1, t), correction2 = 1 - std::pow(kBeta2, t);
  const auto rate = static_cast<float>(learning_rate / correction1);
  const auto root = static_cast<float>(1 / std::sqrt(correction2));
  constexpr auto kB1 = static_cast<float>(kBeta1), kB2 = static_cast<float>(kBeta2);
  for (size_t i = 0; i < params.size(); ++i) {
    const float g = grad[i] * scale;
    m[i] = kB1 * m[i] + (1 - kB1) * g;
    v[i] = kB2 * v[i] + (1 - kB2) * g * g;
    params[i] -= rate * m[i] / (std::sqrt(v[i]) * root + kEpsilon);
  }
  return true;
}

}  // namespace saferl::learn
