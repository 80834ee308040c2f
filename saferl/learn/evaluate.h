#pragma once
// How good a policy is, with how sure we are: deterministic actions (the mean) on given episodes,
// and 95 % intervals of the means by bootstrap.
//
// Determinism: episode i has the seed EpisodeSeed(seed, i); the result does not depend on threads.
// RT: no. Errors: none. Source: Efron & Tibshirani, "An introduction to the bootstrap" (1993),
// percentile interval.

#include <vector>

#include "saferl/learn/learner.h"
#include "saferl/learn/normaliser.h"

namespace saferl::learn {

/// A mean with its 95 % percentile-bootstrap interval.
struct Estimate {
  double mean = 0, low = 0, high = 0;
};
Estimate Bootstrap(const std::vector<double>& values, uint64_t seed = 1, int resamples = 1000);

struct Evaluation {
  int64_t episodes = 0;
  Estimate episode_return, length, success;
  std::array<Estimate, kMaxCosts> cost{};
};

uint64_t EpisodeSeed(uint64_t seed, int episode);

/// `task` is used by this call alone (its copies are reset); n_envs() >= 16 * threads.
Evaluation Evaluate(const GaussianPolicy& policy, std::span<const float> params,
                    const Normaliser& normaliser, int episodes, uint64_t seed, Parallel* parallel,
                    Task* task);

}  // namespace saferl::learn
