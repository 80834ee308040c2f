#pragma once
// The closed-loop gate of a package that was made from another one, as int8 is from float32: does
// it drive as well, and as safely?
//
//   return      the package's own task, test worlds, paired: both play the same episodes. The 95 %
//               interval of the mean difference must not reach below -most_loss of the original's
//               mean return. Pairs take most of what worlds differ by out of the difference.
//   violations  the whole system, filter on, with people of every kind, the same drives for both:
//               collisions and ticks that move without a proof. The candidate's must be none, which
//               is never above the original's
//   Interventions of the filter are reported, and the costs of the task (there is no filter in it).
// Both run by the kernels that a robot runs (Policy::Forward). An error of the open loop says how
// far an action is off (policy/quantise.h); this says what it does.
// Units: returns in the task's; losses as shares of the original's mean return. Deterministic for a
// seed, whatever the number of threads. RT: no. Cost: about 10 us a decision and 20 us a tick.
// Errors: kInvalidArgument: no task, other sizes or scales than the task's, no such robot.
// Source: paired differences with a bootstrap interval, Efron & Tibshirani (1993).

#include <functional>
#include <string>
#include <vector>

#include "saferl/learn/evaluate.h"
#include "saferl/policy/policy.h"

namespace saferl::learn {

struct ClosedLoopOptions {
  std::string task;     ///< empty: the original's own
  int episodes = 2048;  ///< a difference of 0 is known to 0.8 % then (wheelchair)
  int drives = 27;      ///< three of each kind of person; 0: none
  double drive_s = 20;  ///< longest
  double most_loss = 0.02;
  uint64_t seed = 1;
  int threads = 1;
  /// Called with the steps done of ClosedLoopSteps(), from any thread, one at a time; may be empty.
  std::function<void(int)> progress = {};
};
/// Episodes and drives of both.
int ClosedLoopSteps(const ClosedLoopOptions& options);

/// What one of the two did.
struct ClosedLoopSide {
  Estimate episode_return, success;
  std::array<Estimate, kMaxCosts> cost{};
  int64_t ticks = 0, collisions = 0, unproved_ticks = 0, interventions = 0;
  int64_t violations() const { return collisions + unproved_ticks; }
};

struct ClosedLoopReport {
  std::string task;
  ClosedLoopSide original, candidate;
  Estimate difference;  ///< of the return, candidate - original, share of the original's mean
  bool return_holds = false, safe = false;
  bool good() const { return return_holds && safe; }
  /// One line: what holds and what does not, with its figures.
  std::string Text(double most_loss) const;
};

StatusOr<ClosedLoopReport> CompareClosedLoop(const std::shared_ptr<const policy::Policy>& original,
                                             const std::shared_ptr<const policy::Policy>& candidate,
                                             const ClosedLoopOptions& options);

}  // namespace saferl::learn
