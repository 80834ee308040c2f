#pragma once
// A robot that can be driven in simulation: closed-form (closed_form.h, fast, with hostile freedom
// inside the model's stated uncertainty) or rigid-body physics (mujoco_plant.h). Both take the
// Command that left the gate and keep the receiver's promise: nothing newer within valid_for =
// brake alone at the rated deceleration.
//
// Units: SI; time is simulated. RT: no.

#include <cstdint>
#include <memory>

#include "saferl/robot/types.h"
#include "saferl/safety/gate.h"

namespace saferl::sim {

class Plant {
 public:
  virtual ~Plant() = default;
  /// Puts the robot at `q`, at rest, at time `now_ns`, forgetting pending commands.
  virtual void Reset(const robot::Joints& q, int64_t now_ns) = 0;
  /// A command arrives; it starts to act `delay_s` after command.issued_ns (<= the robot's reaction
  /// time).
  virtual void Apply(const safety::Command& command, double delay_s) = 0;
  /// Advances simulated time by `dt_s` (any length; integrates inside).
  virtual void Advance(double dt_s) = 0;
  virtual int64_t now_ns() const = 0;
  /// The true state, without measurement error.
  virtual robot::RobotState Truth() const = 0;
};

}  // namespace saferl::sim
