#pragma once
// Skill: how a person would drive one robot toward one goal, given what that person can see. One
// per robot kind; Person (person.h) adds the habits (late, coarse, trembling, ...) that are the
// same for all robots.
//
// A person sees the true robot and true people, never the filter, the policy or a measurement.
// Units: commands in the robot's command unit, SI. Frames: W.
// Errors: none. RT: no; the wheelchair's plans a new way (4 ms) when people come to stand.
// Cost: wheelchair about 60 us (arc rollouts), arm 2 us, exoskeleton 1 us a call.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "saferl/math/geometry.h"
#include "saferl/robot/robot_model.h"
#include "saferl/sim/scene.h"

namespace saferl::sim {

/// What the person sees at one instant.
struct Sight {
  int64_t now_ns = 0;
  robot::RobotState robot;                   ///< truth
  std::span<const robot::HumanPart> people;  ///< truth
};

/// How a person drives, apart from habits that only touch the stick.
struct Style {
  double ahead_m = 0.8;  ///< where on the way (or how far toward the goal) the eyes are
  double gain = 1.0;     ///< of corrections: above 1 oversteers
  double pace = 0.8;     ///< share of the top speed
  bool careful = true;   ///< looks whether the next second is free
};

class Skill {
 public:
  virtual ~Skill() = default;
  virtual int n_goals() const = 0;
  /// The command that leads to goal `goal` in this style.
  virtual robot::Joints Toward(const Sight& sight, int goal, const Style& style) = 0;
  /// Full speed at the nearest person, or at whatever stands nearest when `at_people` is false.
  virtual robot::Joints At(const Sight& sight, bool at_people) = 0;
  /// Out of a corner: what a person does who sees that the robot does not come forward.
  virtual robot::Joints BackOut(const Sight& sight, int goal) {
    return Toward(sight, goal, {.pace = 0.4});
  }
  /// True when goal `goal` is reached and the robot may rest.
  virtual bool Reached(const robot::RobotState& state, int goal) const = 0;
};

/// Wheelchair: follows the scene's distance field by rolling out arcs (a dynamic window), round
/// people who stand; careful people refuse arcs that touch something within a second, keep out of
/// the paths of walkers and drive no faster near people than the chair's separation rule allows;
/// others steer at a point ahead and cut corners. Source: Fox, Burgard, Thrun, "The Dynamic Window
/// Approach" (1997).
std::unique_ptr<Skill> MakeWheelchairSkill(std::shared_ptr<const robot::RobotModel> robot,
                                           std::shared_ptr<const Scene> scene);

/// Arm: the tool goes straight to the goal by damped least squares, joints kept near the middle of
/// their range. Source: Nakamura & Hanafusa, "Inverse kinematic solutions with singularity
/// robustness" (1986).
std::unique_ptr<Skill> MakeArmSkill(std::shared_ptr<const robot::RobotModel> robot,
                                    std::vector<math::Vec3> goals);

/// Exoskeleton: torques that step in place, one leg after the other; hostile wearers push to the
/// ends of the range.
std::unique_ptr<Skill> MakeExoskeletonSkill(std::shared_ptr<const robot::RobotModel> robot);

}  // namespace saferl::sim
