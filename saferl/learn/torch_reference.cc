#include "saferl/learn/torch_reference.h"

#include <span>
#include <vector>

#include "saferl/base/text.h"
#include "saferl/learn/gaussian_policy.h"

namespace saferl::learn {
namespace {

void Line(const char* name, std::span<const float> values, std::string* out) {
  *out += Cat(name, " ", values.size());
  for (const float v : values) *out += Cat(" ", v);
  *out += "\n";
}

}  // namespace

std::string TorchReference(uint64_t seed) {
  constexpr int kIn = 38, kAct = 2, kWidth = 100;
  const GaussianPolicy policy({kIn, 64, 64, kAct});
  Random random(seed);
  std::vector<float> params(policy.n_params()), direction(policy.n_params());
  policy.Initialise(params, &random, -0.4);
  for (float& p : params) p += static_cast<float>(0.1 * random.Normal());
  for (float& d : direction) d = static_cast<float>(random.Normal());
  std::vector<float> obs(kWidth * kIn), action(kWidth * kAct), weight(kWidth), mean(kWidth * kAct),
      log_prob(kWidth);
  for (float& x : obs) x = static_cast<float>(random.Normal());
  for (float& x : action) x = static_cast<float>(random.Normal());
  for (float& x : weight) x = static_cast<float>(random.Normal());

  MlpTile tile = policy.mlp().MakeTile();
  for (int j = 0; j < kWidth; ++j)
    for (int i = 0; i < kIn; ++i) tile.input()[i * kTile + j] = obs[j * kIn + i];
  policy.mlp().Forward(std::span<const float>(params).first(policy.mlp().n_params()), kWidth,
                       &tile);
  std::vector<const float*> rows;
  for (int j = 0; j < kWidth; ++j) {
    rows.push_back(action.data() + j * kAct);
    log_prob[j] = policy.LogProb(params, tile, j, rows[j]);
    for (int i = 0; i < kAct; ++i) mean[j * kAct + i] = tile.output()[i * kTile + j];
  }
  std::vector<float> gradient(policy.n_params()), fisher(policy.n_params());
  policy.AddLogProbGradient(params, rows, weight, &tile, gradient);
  policy.AddFisherProduct(params, direction, &tile, fisher);

  std::string out;
  Line("params", params, &out);
  Line("direction", direction, &out);
  Line("obs", obs, &out);
  Line("action", action, &out);
  Line("weight", weight, &out);
  Line("mean", mean, &out);
  Line("log_prob", log_prob, &out);
  Line("gradient", gradient, &out);
  Line("fisher", fisher, &out);
  return out;
}

}  // namespace saferl::learn
