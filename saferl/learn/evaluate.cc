#include "saferl/learn/evaluate.h"

#include <algorithm>

#include "saferl/learn/rollout.h"

namespace saferl::learn {
namespace {

struct Episode {
  double episode_return = 0, length = 0, success = 0;
  std::array<double, kMaxCosts> cost{};
};

/// Plays `width` episodes side by side until all have ended. Copies first_env.. of the task are
/// theirs.
void PlayGroup(const GaussianPolicy& policy, std::span<const float> params,
               const Normaliser& normaliser, std::span<const uint64_t> seeds, int first_env,
               MlpTile* tile, Task* task, std::span<Episode> out) {
  const int n_obs = task->spec().n_obs, n_act = task->spec().n_act;
  const int width = static_cast<int>(seeds.size());
  std::vector<float> obs(static_cast<size_t>(width) * n_obs), normalised(n_obs), action(n_act);
  std::vector<uint8_t> ended(width);
  std::fill_n(tile->input(), static_cast<size_t>(n_obs) * kTile, 0.0F);
  const auto row = [&](int j) {
    return std::span(obs).subspan(static_cast<size_t>(j) * n_obs, n_obs);
  };
  for (int j = 0; j < width; ++j) task->Reset(first_env + j, seeds[j], row(j));
  for (int left = width; left > 0;) {
    for (int j = 0; j < width; ++j) {
      normaliser.Apply(row(j), normalised);
      for (int i = 0; i < n_obs; ++i) tile->input()[i * kTile + j] = normalised[i];
    }
    policy.mlp().Forward(params.first(policy.mlp().n_params()), width, tile);
    for (int j = 0; j < width; ++j) {
      if (ended[j]) continue;
      for (int i = 0; i < n_act; ++i) action[i] = tile->output()[i * kTile + j];
      const StepResult step = task->Step(first_env + j, action, row(j));
      out[j].episode_return += step.reward;
      out[j].length += 1;
      for (int k = 0; k < kMaxCosts; ++k) out[j].cost[k] += step.cost[k];
      if (!step.terminated && !step.truncated) continue;
      out[j].success = step.success ? 1 : 0;
      ended[j] = 1;
      --left;
    }
  }
}

}  // namespace

uint64_t EpisodeSeed(uint64_t seed, int episode) {
  return Random(seed, 0xe7a1ULL + episode).NextU64();
}

Estimate Bootstrap(const std::vector<double>& values, uint64_t seed, int resamples) {
  Estimate estimate;
  if (values.empty()) return estimate;
  for (const double v : values) estimate.mean += v;
  const auto n = static_cast<double>(values.size());
  estimate.mean /= n;
  Random random(seed, 0xb007);
  std::vector<double> means(resamples);
  for (double& mean : means) {
    for (size_t i = 0; i < values.size(); ++i)
      mean += values[random.Index(static_cast<int>(values.size()))];
    mean /= n;
  }
  std::ranges::sort(means);
  estimate.low = means[static_cast<size_t>(0.025 * (resamples - 1))];
  estimate.high = means[static_cast<size_t>(0.975 * (resamples - 1) + 0.5)];
  return estimate;
}

Evaluation Evaluate(const GaussianPolicy& policy, std::span<const float> params,
                    const Normaliser& normaliser, int episodes, uint64_t seed, Parallel* parallel,
                    Task* task) {
  std::vector<Episode> played(episodes);
  std::vector<uint64_t> seeds(episodes);
  for (int i = 0; i < episodes; ++i) seeds[i] = EpisodeSeed(seed, i);
  std::vector<MlpTile> tiles;
  for (int t = 0; t < parallel->threads(); ++t) tiles.push_back(policy.mlp().MakeTile());
  const int groups = (episodes + Rollout::kGroup - 1) / Rollout::kGroup;
  parallel->For(groups, [&](int group, int thread) {
    const int first = group * Rollout::kGroup, width = std::min(Rollout::kGroup, episodes - first);
    PlayGroup(policy, params, normaliser, std::span(seeds).subspan(first, width),
              thread * Rollout::kGroup, &tiles[thread], task,
              std::span(played).subspan(first, width));
  });

  Evaluation result;
  result.episodes = episodes;
  std::vector<double> values(episodes);
  const auto estimate = [&](auto member) {
    std::ranges::transform(played, values.begin(), member);
    return Bootstrap(values);
  };
  result.episode_return = estimate([](const Episode& e) { return e.episode_return; });
  result.length = estimate([](const Episode& e) { return e.length; });
  result.success = estimate([](const Episode& e) { return e.success; });
  for (int k = 0; k < task->spec().n_costs; ++k)
    result.cost[k] = estimate([k](const Episode& e) { return e.cost[k]; });
  return result;
}

}  // namespace saferl::learn
