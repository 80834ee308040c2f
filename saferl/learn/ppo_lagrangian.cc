#include "saferl/learn/ppo_lagrangian.h"

#include <algorithm>

namespace saferl::learn {

double PidMultiplier::Update(const PidConfig& config, double cost, double limit) {
  const double before = started_ ? smoothed_ : cost;
  smoothed_ = config.smoothing * before + (1 - config.smoothing) * cost;
  started_ = true;
  const double error = smoothed_ - limit;
  integral_ = std::clamp(integral_ + config.ki * error, 0.0, config.max_price);
  price_ = std::clamp(config.kp * error + integral_ + config.kd * std::max(0.0, smoothed_ - before),
                      0.0, config.max_price);
  return price_;
}

void PidMultiplier::Save(std::vector<double>* out) const {
  out->insert(out->end(), {started_ ? 1.0 : 0.0, smoothed_, integral_, price_});
}

void PidMultiplier::Load(const double* in) {
  started_ = in[0] != 0;
  smoothed_ = in[1];
  integral_ = in[2];
  price_ = in[3];
}

UpdateInfo PpoLagrangian::Update(const Batch& batch, double progress, Learner* learner,
                                 Random* random) {
  UpdateInfo info;
  for (int k = 0; k < limits_.n; ++k) {
    info.multiplier[k] =
        batch.episodes.episodes > 0
            ? multiplier_[k].Update(pid_, batch.episodes.mean_cost[k], limits_.limit[k])
            : multiplier_[k].price();
  }
  PpoUpdate(ppo_, batch, PricedAdvantage(batch, info.multiplier), progress, learner, random, &info);
  return info;
}

std::vector<double> PpoLagrangian::State() const {
  std::vector<double> state;
  for (const PidMultiplier& multiplier : multiplier_) multiplier.Save(&state);
  return state;
}

void PpoLagrangian::SetState(const std::vector<double>& state) {
  for (size_t k = 0; k < multiplier_.size(); ++k)
    multiplier_[k].Load(state.data() + k * PidMultiplier::kStateSize);
}

}  // namespace saferl::learn
