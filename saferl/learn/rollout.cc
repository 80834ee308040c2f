#include "saferl/learn/rollout.h"

#include <algorithm>
#include <cmath>

namespace saferl::learn {

Rollout::Rollout(Task* task, uint64_t seed) : task_(task) {
  const int n_envs = task->n_envs();
  copies_.resize(n_envs);
  obs_.resize(static_cast<size_t>(n_envs) * task->spec().n_obs);
  groups_.resize((n_envs + kGroup - 1) / kGroup);
  for (int env = 0; env < n_envs; ++env) {
    copies_[env].random = Random(seed, static_cast<uint64_t>(env) + 1);
    StartEpisode(env);
  }
}

void Rollout::StartEpisode(int env) {
  CopyState& copy = copies_[env];
  const int n_obs = task_->spec().n_obs;
  copy.episode_seed = copy.random.NextU64();
  copy.actions.clear();
  copy.episode_return = 0;
  copy.episode_cost.fill(0);
  copy.t = 0;
  task_->Reset(env, copy.episode_seed,
               std::span(obs_).subspan(static_cast<size_t>(env) * n_obs, n_obs));
}

void Rollout::Restore(std::vector<CopyState> copies) {
  copies_ = std::move(copies);
  const size_t n_obs = task_->spec().n_obs, n_act = task_->spec().n_act;
  for (size_t env = 0; env < copies_.size(); ++env) {
    const std::span<float> obs = std::span(obs_).subspan(env * n_obs, n_obs);
    const CopyState& copy = copies_[env];
    task_->Reset(static_cast<int>(env), copy.episode_seed, obs);
    for (size_t t = 0; t < static_cast<size_t>(copy.t); ++t)
      task_->Step(static_cast<int>(env), std::span(copy.actions).subspan(t * n_act, n_act), obs);
  }
}

void Rollout::Collect(Learner* learner, const Normaliser& normaliser, int steps, Batch* batch,
                      std::vector<float>* raw) {
  const TaskSpec& spec = task_->spec();
  batch->n_envs = task_->n_envs();
  batch->steps = steps;
  batch->n_obs = spec.n_obs;
  batch->n_act = spec.n_act;
  batch->n_costs = spec.n_costs;
  const size_t n = batch->n();
  batch->obs.resize(n * spec.n_obs);
  batch->action.resize(n * spec.n_act);
  batch->mean.resize(n * spec.n_act);
  batch->log_prob.resize(n);
  batch->outcome.resize(n * batch->n_objectives());
  batch->end.resize(n);
  batch->final_row.assign(n, -1);
  batch->final_obs.clear();
  if (raw != nullptr) raw->resize(n * spec.n_obs);
  const std::span<const float> log_std =
      learner->policy().log_std(std::span<const float>(learner->actor_params));
  batch->log_std.assign(log_std.begin(), log_std.end());

  learner->parallel().For(static_cast<int>(groups_.size()), [&](int group, int thread) {
    StepGroup(group, learner->actor_tile(thread), *learner, normaliser, steps, batch, raw);
  });

  EpisodeStats& stats = batch->episodes;
  stats = {};
  for (const GroupResult& group : groups_) {
    const int first = static_cast<int>(batch->final_obs.size()) / spec.n_obs;
    batch->final_obs.insert(batch->final_obs.end(), group.final_obs.begin(), group.final_obs.end());
    for (const auto& [sample, row] : group.final_row) batch->final_row[sample] = first + row;
    for (const Finished& episode : group.finished) {
      ++stats.episodes;
      stats.mean_return += episode.episode_return;
      stats.mean_length += episode.length;
      stats.success_rate += episode.success ? 1 : 0;
      for (int k = 0; k < kMaxCosts; ++k) stats.mean_cost[k] += episode.cost[k];
    }
  }
  const double share = 1.0 / std::max(1, stats.episodes);
  stats.mean_return *= share;
  stats.mean_length *= share;
  stats.success_rate *= share;
  for (double& cost : stats.mean_cost) cost *= share;
}

void Rollout::StepGroup(int group, MlpTile* tile, const Learner& learner,
                        const Normaliser& normaliser, int steps, Batch* batch,
                        std::vector<float>* raw) {
  const int n_obs = batch->n_obs, n_act = batch->n_act;
  const int first = group * kGroup, width = std::min(kGroup, batch->n_envs - first);
  const GaussianPolicy& policy = learner.policy();
  const std::span<const float> params(learner.actor_params);
  GroupResult& result = groups_[group];
  result = {};
  std::fill_n(tile->input(), static_cast<size_t>(n_obs) * kTile, 0.0F);

  for (int t = 0; t < steps; ++t) {
    for (int j = 0; j < width; ++j) {
      const int env = first + j, sample = env * steps + t;
      const std::span<const float> now =
          std::span(obs_).subspan(static_cast<size_t>(env) * n_obs, n_obs);
      const std::span<float> normalised =
          std::span(batch->obs).subspan(static_cast<size_t>(sample) * n_obs, n_obs);
      if (raw != nullptr)
        std::ranges::copy(now, raw->begin() + static_cast<ptrdiff_t>(sample) * n_obs);
      normaliser.Apply(now, normalised);
      for (int i = 0; i < n_obs; ++i) tile->input()[i * kTile + j] = normalised[i];
    }
    policy.mlp().Forward(params.first(policy.mlp().n_params()), width, tile);
    for (int j = 0; j < width; ++j) {
      const int env = first + j, sample = env * steps + t;
      float* action = batch->action.data() + static_cast<size_t>(sample) * n_act;
      for (int i = 0; i < n_act; ++i) {
        const float mean = tile->output()[i * kTile + j];
        batch->mean[static_cast<size_t>(sample) * n_act + i] = mean;
        action[i] =
            mean + std::exp(batch->log_std[i]) * static_cast<float>(copies_[env].random.Normal());
      }
      batch->log_prob[sample] = policy.LogProb(params, *tile, j, action);
      const bool ended = StepCopy(env, sample, batch, &result);
      if (batch->end[sample] == 2 || (t + 1 == steps && !ended)) {
        const std::span<const float> last =
            std::span(obs_).subspan(static_cast<size_t>(env) * n_obs, n_obs);
        result.final_row.emplace_back(sample, static_cast<int>(result.final_obs.size()) / n_obs);
        result.final_obs.resize(result.final_obs.size() + n_obs);
        normaliser.Apply(last, std::span(result.final_obs).last(n_obs));
      }
      if (ended) StartEpisode(env);
    }
  }
}

bool Rollout::StepCopy(int env, int sample, Batch* batch, GroupResult* result) {
  const int n_obs = batch->n_obs, n_act = batch->n_act;
  CopyState& copy = copies_[env];
  const std::span<const float> action =
      std::span(batch->action).subspan(static_cast<size_t>(sample) * n_act, n_act);
  const StepResult step =
      task_->Step(env, action, std::span(obs_).subspan(static_cast<size_t>(env) * n_obs, n_obs));
  copy.actions.insert(copy.actions.end(), action.begin(), action.end());
  ++copy.t;
  float* outcome = batch->outcome.data() + static_cast<size_t>(sample) * batch->n_objectives();
  outcome[0] = static_cast<float>(step.reward);
  copy.episode_return += step.reward;
  for (int k = 0; k < batch->n_costs; ++k) {
    outcome[1 + k] = static_cast<float>(step.cost[k]);
    copy.episode_cost[k] += step.cost[k];
  }
  batch->end[sample] = step.terminated ? 1 : (step.truncated ? 2 : 0);
  if (batch->end[sample] == 0) return false;
  result->finished.push_back({copy.episode_return, copy.episode_cost, copy.t, step.success});
  return true;
}

}  // namespace saferl::learn
