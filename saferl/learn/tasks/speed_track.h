#pragma once
// The smallest constrained task whose best policy is known on paper: a point drives along a track
// past people.
//
//   action u in [0, 1]^2 (two drives), dt = kDt, horizon kSteps
//   reward  (u_0 + 0.5 u_1) dt        cost_k = u_k^2 dt   (kinetic energy of drive k: what a
//   bystander would get)
//
// With D = kSteps dt and limits d_k <= D, Cauchy-Schwarz gives the best constant drives u_k =
// sqrt(d_k / D) and the best return D (u_0 + 0.5 u_1); without limits u = 1. Tests check that CPO
// and PPO-PID reach it and that plain PPO does not keep the limits. Observation: position along the
// track and a sine of it (nothing that the best policy needs). RT: no.

#include "saferl/learn/env.h"

namespace saferl::learn {

class SpeedTrack final : public Task {
 public:
  static constexpr double kDt = 0.1;
  static constexpr int kSteps = 50;
  static constexpr double kDuration = kDt * kSteps;

  explicit SpeedTrack(int n_envs);
  const TaskSpec& spec() const override { return spec_; }
  int n_envs() const override { return static_cast<int>(copies_.size()); }
  void Reset(int env, uint64_t seed, std::span<float> observation) override;
  StepResult Step(int env, std::span<const float> action, std::span<float> observation) override;

  /// The best return that keeps mean costs (d0, d1).
  static double BestReturn(double d0, double d1);

 private:
  struct Copy {
    double x = 0;
    int t = 0;
  };
  void Observe(const Copy& copy, std::span<float> observation) const;
  TaskSpec spec_;
  std::vector<Copy> copies_;
};

}  // namespace saferl::learn
