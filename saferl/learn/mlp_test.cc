#include "saferl/learn/mlp.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace saferl::learn {
namespace {

std::vector<const Kernels*> AllKernels() {
  std::vector<const Kernels*> all{&PortableKernels()};
  if (Avx2Kernels() != nullptr) all.push_back(Avx2Kernels());
  return all;
}

/// The same network in double precision, one sample: what everything is checked against.
std::vector<double> Reference(const std::vector<int>& sizes, const std::vector<double>& params,
                              std::vector<double> a) {
  size_t at = 0;
  for (size_t l = 0; l + 1 < sizes.size(); ++l) {
    std::vector<double> z(sizes[l + 1]);
    for (int i = 0; i < sizes[l + 1]; ++i) {
      z[i] = params[at + sizes[l + 1] * sizes[l] + i];
      for (int j = 0; j < sizes[l]; ++j) z[i] += params[at + i * sizes[l] + j] * a[j];
      if (l + 2 < sizes.size()) z[i] = std::tanh(z[i]);
    }
    at += sizes[l + 1] * sizes[l] + sizes[l + 1];
    a = z;
  }
  return a;
}

struct Problem {
  Mlp mlp;
  std::vector<float> params, direction;
  std::vector<double> params_d, direction_d;
  std::vector<std::vector<double>> inputs, weights;  ///< per sample: x and the loss weights of y
  MlpTile tile;
  std::vector<float> d_output;

  Problem(std::vector<int> sizes, int width, uint64_t seed, const Kernels& kernels)
      : mlp(std::move(sizes), kernels), tile(mlp.MakeTile()) {
    Random random(seed);
    params.resize(mlp.n_params());
    mlp.Initialise(params, &random, 1.0);
    for (float& p : params) p += static_cast<float>(0.1 * random.Normal());
    direction.resize(mlp.n_params());
    for (float& p : direction) p = static_cast<float>(random.Normal());
    params_d.assign(params.begin(), params.end());
    direction_d.assign(direction.begin(), direction.end());
    d_output.resize(static_cast<size_t>(mlp.n_out()) * kTile);
    for (int j = 0; j < width; ++j) {
      inputs.emplace_back(mlp.n_in());
      weights.emplace_back(mlp.n_out());
      for (int i = 0; i < mlp.n_in(); ++i) {
        const auto x = static_cast<float>(random.Normal());
        tile.input()[i * kTile + j] = x;
        inputs[j][i] = x;
      }
      for (int i = 0; i < mlp.n_out(); ++i) {
        const auto w = static_cast<float>(random.Normal());
        d_output[i * kTile + j] = w;
        weights[j][i] = w;
      }
    }
    mlp.Forward(params, width, &tile);
  }
  double Loss(const std::vector<double>& p) const {
    double total = 0;
    for (size_t j = 0; j < inputs.size(); ++j) {
      const std::vector<double> y = Reference(mlp.sizes(), p, inputs[j]);
      for (size_t i = 0; i < y.size(); ++i) total += weights[j][i] * y[i];
    }
    return total;
  }
};

TEST(Kernels, TanhMatchesTheLibraryEverywhere) {
  for (const Kernels* kernels : AllKernels()) {
    std::vector<float> x(kTile), y(kTile);
    double worst = 0;
    for (int block = 0; block < 4000; ++block) {
      for (int j = 0; j < kTile; ++j)
        x[j] = -12.0F + 24.0F * static_cast<float>(block * kTile + j) / (4000.0F * kTile);
      kernels->tanh(x.data(), 1, kTile, y.data());
      for (int j = 0; j < kTile; ++j)
        worst = std::max(worst, std::abs(y[j] - std::tanh(static_cast<double>(x[j]))));
    }
    EXPECT_LT(worst, 3e-7) << kernels->name;
    x[0] = std::numeric_limits<float>::quiet_NaN();
    x[1] = std::numeric_limits<float>::infinity();
    x[2] = 1e-20F;
    kernels->tanh(x.data(), 1, kTile, y.data());
    EXPECT_TRUE(std::isnan(y[0])) << kernels->name;
    EXPECT_NEAR(y[1], 1.0F, 1e-6F);
    EXPECT_EQ(y[2], 1e-20F);
  }
}

TEST(Mlp, ForwardMatchesDoublePrecisionForAwkwardSizes) {
  for (const Kernels* kernels : AllKernels()) {
    for (const auto& sizes :
         std::vector<std::vector<int>>{{1, 1}, {3, 5, 2}, {38, 64, 64, 2}, {7, 17, 33, 11, 3}}) {
      for (const int width : {1, 15, 16, 17, 100, kTile}) {
        const Problem p(sizes, width, 7, *kernels);
        for (int j = 0; j < width; ++j) {
          const auto y = Reference(sizes, p.params_d, p.inputs[j]);
          for (size_t i = 0; i < y.size(); ++i)
            ASSERT_NEAR(p.tile.output()[i * kTile + j], y[i], 2e-5)
                << kernels->name << " sample " << j;
        }
      }
    }
  }
}

TEST(Mlp, GradientMatchesFiniteDifferences) {
  for (const Kernels* kernels : AllKernels()) {
    for (const int width : {1, 19, kTile}) {
      Problem p({9, 21, 14, 3}, width, 11, *kernels);
      std::vector<float> grad(p.mlp.n_params());
      p.mlp.Backward(p.params, p.d_output.data(), &p.tile, grad);
      double scale = 0;
      for (const float g : grad) scale = std::max(scale, std::abs(static_cast<double>(g)));
      for (int i = 0; i < p.mlp.n_params(); ++i) {
        constexpr double kStep = 1e-5;
        std::vector<double> q = p.params_d;
        q[i] += kStep;
        const double above = p.Loss(q);
        q[i] -= 2 * kStep;
        const double slope = (above - p.Loss(q)) / (2 * kStep);
        ASSERT_NEAR(grad[i], slope, 2e-5 * scale)
            << kernels->name << " parameter " << i << " width " << width;
      }
    }
  }
}

TEST(Mlp, DirectionalDerivativeMatchesFiniteDifferences) {
  for (const Kernels* kernels : AllKernels()) {
    Problem p({6, 20, 13, 4}, 50, 3, *kernels);
    p.mlp.ForwardR(p.params, p.direction, &p.tile);
    constexpr double kStep = 1e-5;
    std::vector<double> above = p.params_d, below = p.params_d;
    for (size_t i = 0; i < above.size(); ++i) {
      above[i] += kStep * p.direction_d[i];
      below[i] -= kStep * p.direction_d[i];
    }
    for (int j = 0; j < 50; ++j) {
      const auto ya = Reference(p.mlp.sizes(), above, p.inputs[j]),
                 yb = Reference(p.mlp.sizes(), below, p.inputs[j]);
      for (int i = 0; i < 4; ++i)
        ASSERT_NEAR(p.tile.output_tangent()[i * kTile + j], (ya[i] - yb[i]) / (2 * kStep), 1e-4)
            << kernels->name;
    }
  }
}

TEST(Mlp, SameInputGivesTheSameBitsWhateverItsNeighbours) {
  for (const Kernels* kernels : AllKernels()) {
    Problem p({12, 32, 32, 3}, kTile, 5, *kernels);
    for (const int column : {0, 31, 127}) {
      MlpTile alone = p.mlp.MakeTile();
      for (int i = 0; i < 12; ++i)
        alone.input()[i * kTile] = static_cast<float>(p.inputs[column][i]);
      p.mlp.Forward(p.params, 1, &alone);
      for (int i = 0; i < 3; ++i)
        EXPECT_EQ(alone.output()[i * kTile], p.tile.output()[i * kTile + column]);
    }
  }
}

}  // namespace
}  // namespace saferl::learn
