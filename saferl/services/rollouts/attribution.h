#pragma once
// Attribution: which of what happens to a robot is its policy's doing, tick by tick.
//
// A filter changes wishes beside every wall, whoever drives. What counts against a version is only
//   shared    the policy had a share in the blend, in this tick or within kMemory_ns before
//   changed   the filter changed a blend in which the policy has a share, and would have let the
//             person's own command of that tick pass: the filter is run a second time, with it; or
//             a person or an operator stopped the robot while `shared`
//   refused   its proposal was there and could have helped, but the person's command opposes it so
//             much that arbitration gives it nothing
// The second pass starts where the first did: from the command that left before, without a stored
// plan. A first tick, or one after a gap, has no command before it: there nothing was changed.
// Without a TickModel (decisions that come as records) a share in a changed blend is enough, and
// nobody knows what opposes what.
// What brought the robot to the wall before this tick is not asked: gates compare two arms of the
// same people, and what a policy does there adds up over the ticks in which it has a share.
// Units: SI, the robot's clock. RT: no (allocates once). Cost: one pass of the filter in ticks
// whose blend was changed, nothing else. Errors: none.

#include <memory>

#include "saferl/base/clock.h"
#include "saferl/control/tick.h"

namespace saferl::services {

/// What a tick says about the policy.
struct PolicyDoing {
  bool shared = false, changed = false, refused = false;
};

class Attribution {
 public:
  static constexpr int64_t kMemory_ns = kNanosPerSecond;

  /// The next tick's decision. `model`: what it was made with, or null.
  PolicyDoing Look(const control::TickModel* model, const control::Decision& decision);
  /// The next decision starts from this memory of a Tick instead of from the last decision.
  void StartFrom(const control::TickData& data, int64_t now_ns);

 private:
  bool PersonAlonePasses(const control::TickModel& model, const control::Decision& decision);

  robot::Joints previous_{};  ///< command that left in the tick before
  int64_t now_ns_ = 0;        ///< of the tick before; 0: none
  int64_t shared_ns_ = 0;     ///< the last tick in which the policy had a share; 0: none
  std::unique_ptr<safety::FilterData> filter_;
};

}  // namespace saferl::services
