#include "saferl/policy/spec_builder.h"

#include <algorithm>
#include <cmath>

#include "saferl/base/random.h"
#include "saferl/policy/half.h"
#include "saferl/policy/quantise.h"

namespace saferl::policy {
namespace {

constexpr double kGoldenMargin = 2e-4;  ///< steps; kernels differ by less

/// (rows x cols) with orthonormal rows or columns, whichever are fewer, times gain: Gram-Schmidt on
/// normal draws.
std::vector<float> Orthogonal(int rows, int cols, double gain, Random* random) {
  const int n = std::min(rows, cols);  // vectors
  const int m = std::max(rows, cols);  // their length
  std::vector<double> v(static_cast<size_t>(n) * static_cast<size_t>(m));
  for (int i = 0; i < n; ++i) {
    double* vi = v.data() + static_cast<ptrdiff_t>(i) * m;
    for (int k = 0; k < m; ++k) vi[k] = random->Normal();
    for (int pass = 0; pass < 2; ++pass) {  // twice is enough for full precision
      for (int j = 0; j < i; ++j) {
        const double* vj = v.data() + static_cast<ptrdiff_t>(j) * m;
        double dot = 0;
        for (int k = 0; k < m; ++k) dot += vi[k] * vj[k];
        for (int k = 0; k < m; ++k) vi[k] -= dot * vj[k];
      }
    }
    double norm = 0;
    for (int k = 0; k < m; ++k) norm += vi[k] * vi[k];
    norm = std::sqrt(norm);
    for (int k = 0; k < m; ++k) vi[k] /= norm;
  }
  std::vector<float> w(v.size());
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < cols; ++c) {
      const double x =
          rows <= cols ? v[static_cast<size_t>(r) * m + c] : v[static_cast<size_t>(c) * m + r];
      w[static_cast<size_t>(r) * cols + c] = static_cast<float>(gain * x);
    }
  }
  return w;
}

double ActivateExact(Activation activation, double x) {
  switch (activation) {
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kSigmoid:
      return 1.0 / (1.0 + std::exp(-x));
    case Activation::kIdentity:
      return x;
  }
  return x;
}

/// x as an int8 layer sees it; `margin` as in ReferenceForward.
void QuantiseExact(const Int8Input& input, std::vector<double>* x, double* margin) {
  for (double& value : *x) {
    const double steps = value * input.per_unit;
    *margin = std::min(*margin, std::abs(std::abs(steps - std::floor(steps)) - 0.5));
    const double u = std::clamp(std::nearbyint(steps) + input.zero, double(input.low), 127.0);
    value = (u - input.zero) / input.per_unit;
  }
}

}  // namespace

PolicySpec MakeGaussianMlp(int n_obs, int n_act, std::span<const int> hidden, uint64_t seed) {
  PolicySpec spec;
  spec.name = "gaussian_mlp";
  spec.observation = {{"observation", "1", n_obs, -1.0F, 1.0F}};
  spec.action = {{"action", "1", n_act, -1.0F, 1.0F}};
  spec.obs_mean.assign(static_cast<size_t>(n_obs), 0.0F);
  spec.obs_std.assign(static_cast<size_t>(n_obs), 1.0F);
  spec.log_std.assign(static_cast<size_t>(n_act), -0.5F);
  spec.action_scale.assign(static_cast<size_t>(n_act), 1.0F);
  spec.action_offset.assign(static_cast<size_t>(n_act), 0.0F);
  spec.training_record = "{}";
  Random random(seed);
  int in = n_obs;
  for (size_t l = 0; l <= hidden.size(); ++l) {
    const bool last = l == hidden.size();
    Layer layer;
    layer.in = in;
    layer.out = last ? n_act : hidden[l];
    layer.activation = last ? Activation::kIdentity : Activation::kTanh;
    layer.weight = Orthogonal(layer.out, layer.in, last ? 0.01 : std::sqrt(2.0), &random);
    layer.bias.assign(static_cast<size_t>(layer.out), 0.0F);
    in = layer.out;
    spec.layers.push_back(std::move(layer));
  }
  return spec;
}

void RoundWeights(PolicySpec* spec) {
  for (Layer& layer : spec->layers)
    std::transform(layer.weight.begin(), layer.weight.end(), layer.weight.begin(), NearestHalf);
}

void MakeGoldenVectors(PolicySpec* spec, int count, uint64_t seed) {
  Random random(seed);
  spec->golden_observations.clear();
  spec->golden_actions.clear();
  for (int g = 0; g < count; ++g) {
    std::vector<float> observation(static_cast<size_t>(spec->n_obs()));
    std::vector<double> action;
    double margin = 0;
    for (int tries = 0; margin < kGoldenMargin && tries < 1000; ++tries) {
      for (size_t i = 0; i < observation.size(); ++i) {
        observation[i] = static_cast<float>(spec->obs_mean[i] + spec->obs_std[i] * random.Normal());
      }
      action = ReferenceForward(*spec, observation, &margin);
    }
    spec->golden_actions.emplace_back(action.begin(), action.end());
    spec->golden_observations.push_back(std::move(observation));
  }
}

std::vector<double> ReferenceForward(const PolicySpec& spec, std::span<const float> observation,
                                     double* margin) {
  double nearest = 1;
  std::vector<double> x(observation.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const double z = (static_cast<double>(observation[i]) - spec.obs_mean[i]) / spec.obs_std[i];
    x[i] = std::clamp<double>(z, -spec.obs_clip, spec.obs_clip);
  }
  for (size_t l = 0; l < spec.layers.size(); ++l) {
    const Layer& layer = spec.layers[l];
    if (layer.int8())
      QuantiseExact(Int8InputAfter(spec.layers[l - 1].activation, layer.input_limit), &x, &nearest);
    std::vector<double> y(layer.bias.begin(), layer.bias.end());
    for (int r = 0; r < layer.out; ++r) {
      const float* w = layer.weight.data() + static_cast<ptrdiff_t>(r) * layer.in;
      for (int c = 0; c < layer.in; ++c)
        y[static_cast<size_t>(r)] += w[c] * x[static_cast<size_t>(c)];
      y[static_cast<size_t>(r)] = ActivateExact(layer.activation, y[static_cast<size_t>(r)]);
    }
    x = std::move(y);
  }
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = spec.action_scale[i] * (spec.squash ? std::tanh(x[i]) : x[i]) + spec.action_offset[i];
  }
  if (margin != nullptr) *margin = nearest;
  return x;
}

}  // namespace saferl::policy
