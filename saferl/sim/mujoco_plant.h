#pragma once
// Rigid-body physics (MuJoCo) behind the same Plant interface: the robot as motors, masses and
// contacts make it, not as the safety model states it. The models are data/mujoco/<kind>.xml; the
// robot's data file gives limits and rates.
//
// Velocity robots: a drive ramps its set speed to the acting command within half the rated time,
// and motors with limited torque follow it (arm: with gravity compensation, as cobots have).
// Exoskeleton: torques act directly, plus the wearer's own. Commands act `delay_s` after issue and
// until valid_for; then the drive brakes by itself along Brake() of the robot model. The error
// between this plant and the model's stated uncertainty is measured by mujoco_plant_test.cc and
// printed by its tests. Units: SI; simulated time. Frames: W, as robot::RobotState. Errors: Create:
// a model file that MuJoCo cannot read, or whose joints are not the robot's. RT: no. Cost:
// wheelchair about 0.1 ms of CPU per 20 ms, arm 30 us per 4 ms, exoskeleton 10 us per 2 ms.

#include <memory>

#include "saferl/base/status.h"
#include "saferl/robot/robot_model.h"
#include "saferl/sim/plant.h"
#include "saferl/sim/scene.h"

namespace saferl::sim {

class MujocoPlant : public Plant {
 public:
  /// `scene` may be null; its boxes become walls that the chair can run into.
  static StatusOr<std::unique_ptr<MujocoPlant>> Create(
      std::shared_ptr<const robot::RobotModel> robot, const Scene* scene);
  /// Exoskeleton: torque of the wearer's muscles on each joint [Nm]; held until the next call.
  virtual void set_wearer_torque(const robot::Joints& torque) = 0;
  /// Exoskeleton: torque between wearer and robot as the interaction sensor would read it [Nm].
  virtual robot::Joints interaction() const = 0;
};

}  // namespace saferl::sim
