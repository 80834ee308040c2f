#pragma once
// A repeatable stream of healthy inputs for one robot, closed over the commands that leave: what
// benches and tests of the Tick run on. The robot follows its commands exactly; it is no physics
// (that is sim's).
//
//   wheelchair   drives about an 8 m room, 360 beams, four people walking, three goals
//   arm          reaches about, one worker of 25 parts within its reach: 20 rows and more are
//                common; three goals
//   exoskeleton  both legs, equation of motion without a wearer's torque
// Units: SI; time starts at 1 s and advances by one period a tick. Deterministic for a seed.
// RT: Next and Apply yes (no allocation).

#include <cstdint>
#include <memory>

#include "saferl/base/random.h"
#include "saferl/base/status.h"
#include "saferl/control/tick.h"

namespace saferl::control {

class Workload {
 public:
  explicit Workload(std::shared_ptr<const robot::RobotModel> robot, uint64_t seed = 1);

  /// The input of the next tick. The reference is valid until the next call.
  const TickInput& Next();
  /// The command acts until the next tick.
  void Apply(const safety::Command& command);

 private:
  void PlacePeople(double t);
  void ScanRoom();
  void Command(double t);
  std::shared_ptr<const robot::RobotModel> robot_;
  robot::Joints q_{}, qd_{}, rest_u_{};
  double phase_[robot::kMaxDof] = {};
  TickInput input_;
};

/// An untrained policy of two hidden layers that fits the robot: for benches and tests.
StatusOr<std::shared_ptr<const policy::Policy>> MakeBenchPolicy(
    const std::shared_ptr<const robot::RobotModel>& robot, int width = 64, uint64_t seed = 1);

/// LoadSafetyModel + MakeBenchPolicy + MakeTickModel.
StatusOr<TickModel> MakeBenchModel(const std::string& robot_name_or_path, bool with_policy = true);

}  // namespace saferl::control
