#pragma once
// What every algorithm is to the trainer: one update from one batch, and a state that a checkpoint
// can keep.
//
// One file per algorithm: ppo.h, ppo_lagrangian.h, cpo.h. RT: no. Errors: none.

#include <memory>
#include <vector>

#include "saferl/learn/learner.h"

namespace saferl::learn {

enum class AlgorithmId : uint8_t { kPpo, kPpoPid, kCpo };
const char* Name(AlgorithmId id);

/// One constraint's promise: the mean undiscounted cost per episode stays at or below `limit` (>=
/// 0, also exactly 0).
struct CostLimits {
  std::array<double, kMaxCosts> limit{};
  int n = 0;
};

/// What one update did, for the log. Unused entries are zero.
struct UpdateInfo {
  double kl = 0, clipped = 0, value_loss = 0, entropy = 0;
  std::array<double, kMaxCosts> multiplier{};  ///< price of each cost used in this update
  bool recovery = false;                       ///< CPO: no feasible step, costs were reduced alone
  int backtracks = 0;  ///< CPO: halvings of the line search; -1 = no step taken
};

class Algorithm {
 public:
  virtual ~Algorithm() = default;
  virtual AlgorithmId id() const = 0;
  /// One policy and value update. `progress` in [0, 1): share of the training done, for schedules.
  virtual UpdateInfo Update(const Batch& batch, double progress, Learner* learner,
                            Random* random) = 0;
  /// What training aims at from now on; algorithms without limits ignore it.
  virtual void SetLimits(const CostLimits& limits) { (void)limits; }
  /// Numbers beyond the learner's own state, for checkpoints; same length always.
  virtual std::vector<double> State() const { return {}; }
  virtual void SetState(const std::vector<double>& state) { (void)state; }
};

}  // namespace saferl::learn
