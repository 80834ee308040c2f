#include "saferl/learn/advantages.h"

#include <algorithm>
#include <cmath>

namespace saferl::learn {

void GeneralisedAdvantage(double gamma, double lambda, int objective,
                          std::span<const float> final_value, Batch* batch) {
  const int k = batch->n_objectives();
  float* advantage = batch->advantage.data() + static_cast<size_t>(objective) * batch->n();
  for (int env = 0; env < batch->n_envs; ++env) {
    double next_value = 0, sum = 0;
    for (int t = batch->steps - 1; t >= 0; --t) {
      const int s = env * batch->steps + t;
      const size_t at = static_cast<size_t>(s) * k + objective;
      const int row = batch->final_row[s];
      if (batch->end[s] != 0 || row >= 0) {
        sum = 0;
        next_value = row >= 0 ? final_value[static_cast<size_t>(row) * k + objective] : 0.0;
      }
      const double delta = batch->outcome[at] + gamma * next_value - batch->value[at];
      sum = delta + gamma * lambda * sum;
      advantage[s] = static_cast<float>(sum);
      batch->target[at] = static_cast<float>(sum + batch->value[at]);
      next_value = batch->value[at];
    }
  }
}

void ComputeAdvantages(const AdvantageConfig& config, Learner* learner, Batch* batch) {
  const size_t n = batch->n(), k = batch->n_objectives();
  batch->value.resize(n * k);
  batch->advantage.resize(n * k);
  batch->target.resize(n * k);
  learner->Values(batch->obs, batch->n(), batch->value);
  const int rows = static_cast<int>(batch->final_obs.size()) / batch->n_obs;
  std::vector<float> final_value(rows * k);
  learner->Values(batch->final_obs, rows, final_value);
  for (int objective = 0; objective < batch->n_objectives(); ++objective) {
    const bool reward = objective == 0;
    GeneralisedAdvantage(reward ? config.gamma : config.cost_gamma,
                         reward ? config.lambda : config.cost_lambda, objective, final_value,
                         batch);
    const std::span<float> column = std::span(batch->advantage).subspan(objective * n, n);
    Standardise(column, false, column);
  }
}

double Standardise(std::span<const float> column, bool scale, std::span<float> out) {
  const auto n = static_cast<double>(column.size());
  double sum = 0, sum2 = 0;
  for (const float a : column) sum += a;
  const double mean = sum / n;
  for (const float a : column) sum2 += (a - mean) * (a - mean);
  const double deviation = std::sqrt(sum2 / n);
  const double factor = scale ? 1.0 / (deviation + 1e-8) : 1.0;
  for (size_t i = 0; i < column.size(); ++i)
    out[i] = static_cast<float>((column[i] - mean) * factor);
  return deviation;
}

}  // namespace saferl::learn
