#pragma once
// Generalised advantage estimation, for the reward and every cost alike.
//
//   delta_t = r_t + gamma V(s_(t+1)) - V(s_t),   A_t = delta_t + gamma lambda A_(t+1)
//
// terminated: V(s_(t+1)) = 0 and the sum ends. truncated (horizon) or cut by the end of the batch:
// V(s_(t+1)) is the critic's value of the last observation and the sum ends. Value targets are A_t
// + V(s_t). Shapes: batch.h. RT: no. Errors: none. Source: Schulman et al., "High-dimensional
// continuous control using generalized advantage estimation" (2016),
//   eq. 16; truncation: Pardo et al., "Time limits in reinforcement learning" (2018).

#include "saferl/learn/batch.h"
#include "saferl/learn/learner.h"

namespace saferl::learn {

struct AdvantageConfig {
  double gamma = 0.99, lambda = 0.95;           ///< of the reward
  double cost_gamma = 0.97, cost_lambda = 0.9;  ///< of every cost

  template <class V>
  static void Visit(V& v, AdvantageConfig& s) {
    v.Field("gamma", s.gamma, {.doc = "discount of the reward", .min = 0, .max = 1});
    v.Field("lambda", s.lambda, {.doc = "bias against variance, reward", .min = 0, .max = 1});
    v.Field("cost_gamma", s.cost_gamma, {.doc = "discount of every cost", .min = 0, .max = 1});
    v.Field("cost_lambda", s.cost_lambda,
            {.doc = "bias against variance, costs", .min = 0, .max = 1});
  }
};

/// Fills value, advantage (columns centred) and target of `batch` from the learner's critic.
void ComputeAdvantages(const AdvantageConfig& config, Learner* learner, Batch* batch);

/// The recursion alone, for one objective k: reads outcome, end, value and the values of final_obs
/// rows (rows x objectives); writes advantage column k and target entries k.
void GeneralisedAdvantage(double gamma, double lambda, int objective,
                          std::span<const float> final_value, Batch* batch);

/// (a - mean) / deviation of a column, or a - mean when `scale` is false. Returns the deviation.
double Standardise(std::span<const float> column, bool scale, std::span<float> out);

}  // namespace saferl::learn
