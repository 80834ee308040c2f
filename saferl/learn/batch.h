#pragma once
// The data of one training iteration: what the rollouts saw and what the advantages made of it.
//
// Shapes: n = n_envs * steps samples, ordered by copy, then time: sample = env * steps + t.
// Row-major, stride n_obs and so on. Columns k = 0 reward, 1.. costs, for everything that has one
// entry per objective. RT: no.

#include <array>
#include <cstdint>
#include <vector>

#include "saferl/learn/env.h"

namespace saferl::learn {

inline constexpr int kMaxObjectives = 1 + kMaxCosts;

/// What finished episodes looked like.
struct EpisodeStats {
  int episodes = 0;
  double mean_return = 0, mean_length = 0, success_rate = 0;
  std::array<double, kMaxCosts> mean_cost{};  ///< undiscounted sum per episode
};

struct Batch {
  int n_envs = 0, steps = 0, n_obs = 0, n_act = 0, n_costs = 0;
  int n() const { return n_envs * steps; }
  int n_objectives() const { return 1 + n_costs; }

  // Written by the rollout.
  std::vector<float> obs;       ///< (n x n_obs), normalised
  std::vector<float> action;    ///< (n x n_act), raw
  std::vector<float> mean;      ///< (n x n_act), of the policy that acted
  std::vector<float> log_std;   ///< (n_act), of the policy that acted
  std::vector<float> log_prob;  ///< (n)
  std::vector<float> outcome;   ///< (n x objectives): reward, costs
  std::vector<uint8_t> end;     ///< (n) 0 goes on, 1 terminated, 2 truncated
  std::vector<float>
      final_obs;  ///< (n_final x n_obs) of truncated episodes and of each copy's last step
  std::vector<int> final_row;  ///< (n) row in final_obs, or -1
  EpisodeStats episodes;       ///< episodes that ended during this batch

  // Written by ComputeAdvantages.
  std::vector<float> value;      ///< (n x objectives)
  std::vector<float> advantage;  ///< (objectives x n): one contiguous column each, centred
  std::vector<float> target;     ///< (n x objectives) value targets
};

}  // namespace saferl::learn
