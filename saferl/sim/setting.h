#pragma once
// A Setting: everything around one robot in one episode: the true people, what stands, the goals,
// and what counts as reached or as a collision. One per robot kind, so that drive.h is the same for
// all.
//
// A collision is touching while the robot moves; a pedestrian who walks into a resting robot is
// none. For the exoskeleton it is a joint beyond the wearer's range. Units: SI. Frames: W. Errors:
// the makers say what is missing. RT: no. Deterministic for a seed.

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/control/intent.h"
#include "saferl/robot/robot_model.h"
#include "saferl/sim/recording.h"
#include "saferl/sim/scene.h"
#include "saferl/sim/skill.h"

namespace saferl::sim {

enum class Hit : uint8_t { kNothing, kWall, kFurniture, kPerson, kRange, kCount };
std::string_view Name(Hit hit);

class Setting {
 public:
  virtual ~Setting() = default;
  virtual robot::Joints start() const = 0;
  virtual int true_goal() const = 0;
  virtual int n_goals() const = 0;
  virtual std::unique_ptr<Skill> MakeSkill() const = 0;
  /// Where the person may be going next, for the Tick: on the way, as a route planner names it.
  virtual control::Goals GoalsAhead(const robot::RobotState& measured) const = 0;
  /// People move on by dt; nobody walks through the robot at `truth`.
  virtual void Advance(double dt_s, const robot::RobotState& truth) = 0;
  /// True body parts now (stamps are left at 0).
  virtual std::span<const robot::HumanPart> people() const = 0;
  /// Free distance from the robot to the nearest person [m]; +inf when there is none.
  virtual double Separation(const robot::RobotState& truth) const = 0;
  virtual Hit Collision(const robot::RobotState& truth) const = 0;
  /// True ranges into observation->lidar_m, for robots that have a lidar.
  virtual void Scan(const robot::RobotState& truth, robot::Observation* observation) const = 0;
  /// How far the robot came between two instants [m; exoskeleton: rad].
  virtual double Travelled(const robot::RobotState& before,
                           const robot::RobotState& after) const = 0;
  /// Torque of the wearer's own muscles now [Nm]; zero for robots without a wearer.
  virtual robot::Joints WearerTorque(double t_s) const = 0;
  /// The floor plan, for pictures; null where there is none.
  virtual const Scene* scene() const { return nullptr; }
};

/// Wheelchair in a scene, with its walkers or with recorded people (not null) who take their place.
std::unique_ptr<Setting> MakeWheelchairSetting(std::shared_ptr<const robot::RobotModel> robot,
                                               std::shared_ptr<const Scene> scene,
                                               std::shared_ptr<const Recording> recording);
/// Arm with goals for its tool around the bench; a worker who reaches in (from the seed), or a
/// recorded one.
std::unique_ptr<Setting> MakeArmSetting(std::shared_ptr<const robot::RobotModel> robot,
                                        uint64_t seed, std::shared_ptr<const Recording> recording);
/// Exoskeleton: stepping in place; the wearer's muscles push and pull within the stated bound.
std::unique_ptr<Setting> MakeExoskeletonSetting(std::shared_ptr<const robot::RobotModel> robot,
                                                uint64_t seed);

}  // namespace saferl::sim
