#pragma once
// Closed-form plants: the robot's stated model of motion and nothing more, integrated finely and
// cheaply.
//
// Two users: training (a benign plant, above a million steps a second on one core) and the safety
// prover, which uses every freedom that the model leaves: commands start to act after any delay in
// [0, reaction]; velocities approach the acting command as late or as early as rated; the tracking
// error is anywhere inside its bound; a robot without a valid command brakes alone, at the rated
// deceleration or harder.
//
//   velocity robots   w moves to the acting command u along the straight line in command space, in
//   the rated time
//                     max_i |u_i - w_i| / rate_i scaled by `lag` in [0, 1]; the true rate is w +
//                     tracking error
//   exoskeleton       M(q) qdd + C(q, qd) qd + g(q) = u + wearer, both legs, sub-stepped
//   (exoskeleton_plant.h)
//
// Units: SI; simulated time. Frames: world, as robot::RobotState. RT: no (but Advance does not
// allocate). Errors: none; a command that is not finite is treated as one that never arrived.

#include <array>
#include <cstdint>
#include <memory>

#include "saferl/robot/robot_model.h"
#include "saferl/sim/plant.h"

namespace saferl::sim {

/// What the model leaves open, as a fraction of its bounds. The default is the benign robot: prompt
/// and exact.
struct Freedom {
  double lag = 0;           ///< ramp toward a new command: 0 at once, 1 as slow as rated [0, 1]
  double brake_factor = 1;  ///< braking alone: this many times the rated deceleration, >= 1
  std::array<double, robot::kMaxDof>
      tracking{};            ///< share of the tracking bound, with sign [-1, 1]
  double substep_s = 0.001;  ///< longest integration step
};

/// The plant's own bounds, taken from the robot's data, never from the filter's (mutable) model.
struct PlantBounds {
  int n = 0;
  robot::Joints drive_rate{};  ///< fastest change while speeding up [command unit / s]
  robot::Joints brake_rate{};  ///< rated deceleration [command unit / s]
  robot::Joints tracking{};    ///< |true rate - followed command| while moving [command unit]
  bool planar_base = false;    ///< wheelchair: q is (x, y, yaw), the command (v, omega)
};

/// The bounds that the robot's data state (velocity-commanded robots).
PlantBounds BoundsOf(const robot::RobotModel& robot);

/// Velocity-commanded robots: wheelchair and arm.
class VelocityPlant final : public Plant {
 public:
  explicit VelocityPlant(const PlantBounds& bounds) : bounds_(bounds) {}

  void Reset(const robot::Joints& q, int64_t now_ns) override;
  void Apply(const safety::Command& command, double delay_s) override;
  void Advance(double dt_s) override;
  int64_t now_ns() const override { return now_ns_; }
  robot::RobotState Truth() const override;

  /// May be changed at any time: the hostile prover picks new values every tick.
  Freedom& freedom() { return freedom_; }
  /// True while the robot has no valid command and brakes (or rests) by itself.
  bool braking_alone() const { return braking_; }
  /// True when nothing moves at all.
  bool at_rest() const;

 private:
  struct Pending {
    int64_t acts_at_ns = 0, expires_ns = 0;
    robot::Joints u{};
  };
  static constexpr int kMaxPending = 32;

  void TakeDue();
  void Step(double h);
  double RampTime(const robot::Joints& target) const;

  PlantBounds bounds_;
  Freedom freedom_;
  int64_t now_ns_ = 0;
  int n_pending_ = 0;
  std::array<Pending, kMaxPending> pending_{};  ///< in the order of issue
  robot::Joints target_{};
  int64_t target_expires_ns_ = 0;
  bool braking_ = true;
  robot::Joints q_{}, w_{};
};

}  // namespace saferl::sim
