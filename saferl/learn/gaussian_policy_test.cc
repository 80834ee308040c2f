#include "saferl/learn/gaussian_policy.h"

#include <cmath>

#include "gtest/gtest.h"

namespace saferl::learn {
namespace {

/// A small policy on a tile of random observations; everything in doubles by central differences of
/// the float32 functions, with steps large enough for float.
struct Fixture {
  static constexpr int kWidth = 40;
  GaussianPolicy policy{{5, 16, 16, 2}};
  std::vector<float> params, direction;
  MlpTile tile = policy.mlp().MakeTile();
  std::vector<float> actions;
  std::vector<const float*> rows;

  Fixture() : params(policy.n_params()), direction(policy.n_params()), actions(2 * kWidth) {
    Random random(4);
    policy.Initialise(params, &random, -0.4);
    for (float& p : params) p += static_cast<float>(0.2 * random.Normal());
    for (float& d : direction)
      d = static_cast<float>(random.Normal() / std::sqrt(policy.n_params()));
    for (int i = 0; i < 5 * kTile; ++i)
      tile.input()[i] = i % kTile < kWidth ? static_cast<float>(random.Normal()) : 0.0F;
    for (float& a : actions) a = static_cast<float>(random.Normal());
    for (int j = 0; j < kWidth; ++j) rows.push_back(actions.data() + 2 * j);
    Forward(params);
  }
  void Forward(const std::vector<float>& p) {
    policy.mlp().Forward(std::span<const float>(p).first(policy.mlp().n_params()), kWidth, &tile);
  }
  std::vector<float> Moved(double step) const {
    std::vector<float> p = params;
    for (size_t i = 0; i < p.size(); ++i) p[i] += static_cast<float>(step * direction[i]);
    return p;
  }
};

TEST(GaussianPolicy, LogProbGradientMatchesFiniteDifferences) {
  Fixture f;
  std::vector<float> weight(Fixture::kWidth), grad(f.policy.n_params());
  for (int j = 0; j < Fixture::kWidth; ++j) weight[j] = 0.3F + 0.05F * static_cast<float>(j % 7);
  f.policy.AddLogProbGradient(f.params, f.rows, weight, &f.tile, grad);
  const auto loss = [&](double step) {
    const std::vector<float> p = f.Moved(step);
    f.Forward(p);
    double total = 0;
    for (int j = 0; j < Fixture::kWidth; ++j)
      total += weight[j] * f.policy.LogProb(p, f.tile, j, f.rows[j]);
    return total;
  };
  double slope = 0;
  for (size_t i = 0; i < grad.size(); ++i) slope += static_cast<double>(grad[i]) * f.direction[i];
  constexpr double kStep = 1e-2;
  EXPECT_NEAR((loss(kStep) - loss(-kStep)) / (2 * kStep), slope, 2e-3 * std::abs(slope) + 1e-3);
}

TEST(GaussianPolicy, FisherProductIsTheHessianOfTheKl) {
  Fixture f;
  std::vector<float> product(f.policy.n_params());
  f.policy.AddFisherProduct(f.params, f.direction, &f.tile, product);
  double curvature = 0;
  for (size_t i = 0; i < product.size(); ++i)
    curvature += static_cast<double>(product[i]) * f.direction[i];

  std::vector<float> old_mean(2 * Fixture::kWidth);
  f.Forward(f.params);
  for (int j = 0; j < Fixture::kWidth; ++j)
    for (int i = 0; i < 2; ++i) old_mean[2 * j + i] = f.tile.output()[i * kTile + j];
  const std::span<const float> now = f.policy.log_std(std::span<const float>(f.params));
  const std::vector<float> old_log_std(now.begin(), now.end());
  const auto kl = [&](double step) {
    const std::vector<float> p = f.Moved(step);
    f.Forward(p);
    double total = 0;
    for (int j = 0; j < Fixture::kWidth; ++j)
      total += f.policy.Kl(p, f.tile, j, old_mean.data() + 2 * j, old_log_std);
    return total;
  };
  constexpr double kStep = 5e-2;
  const double second = (kl(kStep) - 2 * kl(0) + kl(-kStep)) / (kStep * kStep);
  EXPECT_NEAR(kl(0), 0, 1e-5);
  EXPECT_NEAR(second, curvature, 0.02 * curvature);
}

TEST(GaussianPolicy, FisherProductIsSymmetricAndPositive) {
  Fixture f;
  Random random(8);
  std::vector<float> other(f.policy.n_params()), fv(f.policy.n_params()), fw(f.policy.n_params());
  for (float& w : other) w = static_cast<float>(random.Normal());
  f.policy.AddFisherProduct(f.params, f.direction, &f.tile, fv);
  f.policy.AddFisherProduct(f.params, other, &f.tile, fw);
  double a = 0, b = 0, square = 0;
  for (size_t i = 0; i < fv.size(); ++i) {
    a += static_cast<double>(fv[i]) * other[i];
    b += static_cast<double>(fw[i]) * f.direction[i];
    square += static_cast<double>(fv[i]) * f.direction[i];
  }
  EXPECT_NEAR(a, b, 1e-3 * (std::abs(a) + 1));
  EXPECT_GT(square, 0);
}

}  // namespace
}  // namespace saferl::learn
