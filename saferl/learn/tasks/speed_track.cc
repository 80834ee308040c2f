#include "saferl/learn/tasks/speed_track.h"

#include <algorithm>
#include <cmath>

#include "saferl/base/random.h"

namespace saferl::learn {

SpeedTrack::SpeedTrack(int n_envs) : copies_(n_envs) {
  spec_.name = "speed_track";
  spec_.robot = "none";
  spec_.n_obs = 2;
  spec_.n_act = 2;
  spec_.n_costs = 2;
  spec_.horizon = kSteps;
  spec_.cost_names = {"energy_first", "energy_second"};
  spec_.cost_limits = {1.25, 1.25};
  spec_.observation = {{"position", "m", 1, 0.0F, 10.0F}, {"sine", "1", 1, -1.0F, 1.0F}};
  spec_.action = {{"first_drive", "m/s", 1, 0.0F, 1.0F}, {"second_drive", "m/s", 1, 0.0F, 1.0F}};
  spec_.action_scale = {0.5F, 0.5F};
  spec_.action_offset = {0.5F, 0.5F};
}

void SpeedTrack::Observe(const Copy& copy, std::span<float> observation) const {
  observation[0] = static_cast<float>(copy.x);
  observation[1] = static_cast<float>(std::sin(copy.x));
}

void SpeedTrack::Reset(int env, uint64_t seed, std::span<float> observation) {
  Random random(seed);
  copies_[env] = {random.Uniform(0.0, 2.0), 0};
  Observe(copies_[env], observation);
}

StepResult SpeedTrack::Step(int env, std::span<const float> action, std::span<float> observation) {
  Copy& copy = copies_[env];
  StepResult result;
  for (int k = 0; k < 2; ++k) {
    const double u = 0.5 + 0.5 * std::tanh(static_cast<double>(action[k]));
    const double progress = (k == 0 ? 1.0 : 0.5) * u * kDt;
    copy.x += progress;
    result.reward += progress;
    result.cost[k] = u * u * kDt;
  }
  result.truncated = ++copy.t >= kSteps;
  result.success = result.truncated;
  Observe(copy, observation);
  return result;
}

double SpeedTrack::BestReturn(double d0, double d1) {
  const auto drive = [](double d) { return std::sqrt(std::clamp(d / kDuration, 0.0, 1.0)); };
  return kDuration * (drive(d0) + 0.5 * drive(d1));
}

}  // namespace saferl::learn
