// Trainer::Export: the best policy as a package, with the record of how it came to be.
#include <cmath>

#include "saferl/base/json.h"
#include "saferl/learn/trainer.h"

namespace saferl::learn {
namespace {

void Write(const char* name, const Estimate& e, JsonWriter* json) {
  json->Key(name).BeginObject();
  json->Field("mean", e.mean).Field("low95", e.low).Field("high95", e.high).EndObject();
}

std::vector<policy::Layer> Layers(const Mlp& mlp, std::span<const float> params) {
  std::vector<policy::Layer> layers;
  for (int l = 0; l < mlp.n_layers(); ++l) {
    policy::Layer layer;
    layer.in = mlp.sizes()[l];
    layer.out = mlp.sizes()[l + 1];
    layer.activation =
        l + 1 < mlp.n_layers() ? policy::Activation::kTanh : policy::Activation::kIdentity;
    const float* w = params.data() + mlp.weight_offset(l);
    layer.weight.assign(w, w + layer.in * layer.out);
    layer.bias.assign(w + layer.in * layer.out, w + layer.in * layer.out + layer.out);
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace

std::string Trainer::TrainingRecord(const Candidate& best) const {
  JsonWriter json;
  json.BeginObject();
  json.Field("task", config_.task)
      .Field("algorithm", Name(config_.algorithm))
      .Field("seed", config_.seed);
  json.Field("steps", steps_)
      .Field("iterations", iteration_)
      .Field("chosen_iteration", best.iteration);
  json.Key("costs").BeginArray();
  for (size_t k = 0; k < limits_.size(); ++k) {
    json.BeginObject().Field("name", spec().cost_names[k]).Field("limit", limits_[k]);
    Write("checked", best.check.cost[k], &json);
    json.EndObject();
  }
  json.EndArray();
  json.Field("check_episodes", best.check.episodes);
  Write("return", best.check.episode_return, &json);
  Write("success", best.check.success, &json);
  Write("length_steps", best.check.length, &json);
  json.Field("keeps_limits", best.present && best.excess <= 0);
  json.Field("config", PrintTrainConfig(config_));
  json.EndObject();
  return json.Take();
}

policy::PolicySpec Trainer::Export(const std::string& name) const {
  const Candidate best = Best();
  const GaussianPolicy& policy = learner_->policy();
  policy::PolicySpec out;
  out.name = name;
  out.robot = spec().robot;
  out.observation = spec().observation;
  out.action = spec().action;
  out.obs_mean = best.normaliser.shift;
  out.obs_std = best.normaliser.Deviation();
  out.obs_clip = kObsClip;
  out.layers = Layers(policy.mlp(), best.params);
  const std::span<const float> log_std = policy.log_std(std::span<const float>(best.params));
  out.log_std.assign(log_std.begin(), log_std.end());
  out.action_scale = spec().action_scale;
  out.action_offset = spec().action_offset;
  out.squash = true;
  out.training_record = TrainingRecord(best);

  // Golden vectors: what the training's own forward pass answers.
  MlpTile tile = policy.mlp().MakeTile();
  std::vector<float> normalised(spec().n_obs);
  const size_t rows = golden_.size() / static_cast<size_t>(spec().n_obs);
  for (size_t r = 0; r < rows; ++r) {
    const std::span<const float> raw = std::span(golden_).subspan(r * spec().n_obs, spec().n_obs);
    best.normaliser.Apply(raw, normalised);
    for (int i = 0; i < spec().n_obs; ++i) tile.input()[i * kTile] = normalised[i];
    policy.mlp().Forward(std::span<const float>(best.params).first(policy.mlp().n_params()), 1,
                         &tile);
    std::vector<float> action(spec().n_act);
    for (int i = 0; i < spec().n_act; ++i)
      action[i] = out.action_scale[i] * std::tanh(tile.output()[i * kTile]) + out.action_offset[i];
    out.golden_observations.emplace_back(raw.begin(), raw.end());
    out.golden_actions.push_back(std::move(action));
  }
  return out;
}

}  // namespace saferl::learn
