#pragma once
// PPO-Lagrangian with PID multipliers: one price per cost, steered like a control loop.
//
//   e_k     = J_k - d_k                                 J_k: mean episode cost, exponentially
//   smoothed I_k     = clip(I_k + Ki e_k, 0, max)                integral, never negative price_k =
//   clip(Kp e_k + I_k + Kd max(0, J_k - J_k^before), 0, max) advantage = A_r - sum_k price_k A_k
//   then PPO on it (standardised, so no 1 + price is needed)
//
// The proportional and derivative parts damp the oscillation of plain dual ascent. d_k = 0 is an
// ordinary value: the integral then grows until the cost is zero, up to `max_price`. RT: no.
// Errors: none; a batch without finished episodes keeps the last smoothed cost. Source: Stooke,
// Achiam & Abbeel, "Responsive safety in RL by PID Lagrangian methods" (2020), algorithm 2.

#include "saferl/learn/ppo.h"

namespace saferl::learn {

struct PidConfig {
  double kp = 0.5, ki = 0.1, kd = 0.1;  ///< price per unit of episode cost
  double smoothing = 0.7;  ///< share of the old value kept by the smoothed cost, [0, 1)
  double max_price = 100;

  template <class V>
  static void Visit(V& v, PidConfig& s) {
    v.Field("kp", s.kp, {.doc = "proportional gain", .min = 0, .max = 1e6});
    v.Field("ki", s.ki, {.doc = "integral gain per iteration", .min = 0, .max = 1e6});
    v.Field("kd", s.kd, {.doc = "gain on a rising cost", .min = 0, .max = 1e6});
    v.Field("smoothing", s.smoothing,
            {.doc = "share of the old value in the smoothed cost", .min = 0, .max = 0.999});
    v.Field("max_price", s.max_price, {.doc = "largest price of a cost", .min = 1e-6, .max = 1e9});
  }
};

/// The controller of one cost's price.
class PidMultiplier {
 public:
  /// Takes one measurement; returns the new price.
  double Update(const PidConfig& config, double cost, double limit);
  double price() const { return price_; }

  static constexpr int kStateSize = 4;
  void Save(std::vector<double>* out) const;
  void Load(const double* in);

 private:
  bool started_ = false;
  double smoothed_ = 0, integral_ = 0, price_ = 0;
};

class PpoLagrangian final : public Algorithm {
 public:
  PpoLagrangian(const PpoConfig& ppo, const PidConfig& pid, const CostLimits& limits)
      : ppo_(ppo), pid_(pid), limits_(limits), multiplier_(limits.n) {}
  AlgorithmId id() const override { return AlgorithmId::kPpoPid; }
  UpdateInfo Update(const Batch& batch, double progress, Learner* learner, Random* random) override;
  void SetLimits(const CostLimits& limits) override { limits_ = limits; }
  std::vector<double> State() const override;
  void SetState(const std::vector<double>& state) override;

 private:
  PpoConfig ppo_;
  PidConfig pid_;
  CostLimits limits_;
  std::vector<PidMultiplier> multiplier_;
};

}  // namespace saferl::learn
