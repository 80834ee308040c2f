#pragma once
// Helpers that the constraints share: approach speeds for their rows and a minimum that keeps NaN.
//
// Units: SI. RT: yes. Total.

#include <algorithm>
#include <cmath>

#include "saferl/safety/constraint.h"

namespace saferl::safety {

/// min(a, b), or NaN when either is NaN (std::min would drop it).
inline double MinOrNan(double a, double b) { return a < b ? a : (b <= a ? b : a + b); }

/// The speed from which, after going on for `hold_s`, a deceleration `brake` still stops within
/// `distance`. 0 when there is no distance left: rows forbid approach, they never demand retreat.
///   v hold + v^2 / (2 brake) = distance
inline double ApproachSpeed(double distance, double brake, double hold_s) {
  if (!(distance > 0)) return 0;
  const double bh = brake * hold_s;
  return std::sqrt(bh * bh + 2 * brake * distance) - bh;
}

/// The same against someone who comes closer with `person` until the robot rests (1-D speed and
/// separation):
///   v hold + v^2 / (2 brake) + person (hold + v / brake) = distance
inline double ApproachSpeed(double distance, double brake, double hold_s, double person) {
  const double left = distance - person * hold_s;
  if (!(left > 0)) return 0;
  const double bh = brake * hold_s + person;
  return std::sqrt(bh * bh + 2 * brake * left) - bh;
}

/// How long rows assume that a command acts unbraked: the proof's hold and state age, plus the tick
/// until rows act again.
inline double RowHold_s(const robot::RobotModel& robot) {
  return robot.hold_s() + robot.period_s() + robot.state_age_s();
}

/// Time in which rated braking takes `u` to rest [s].
inline double BrakeTime_s(const robot::RobotModel& robot, const robot::Joints& u) {
  double t = 0;
  for (int i = 0; i < robot.n(); ++i) t = std::max(t, std::abs(u[i]) / robot.limits().brake[i]);
  return t;
}

/// Deceleration of a distance whose rate is gradient . u when braking keeps the path of the wish;
/// where the wish does not approach, the deceleration of the strongest component.
inline double BrakeAlong(const Situation& s, const robot::Joints& gradient) {
  double approach = 0, most = 0;
  for (int i = 0; i < s.robot->n(); ++i) {
    approach -= gradient[i] * s.wanted[i];
    most = std::max(most, std::abs(gradient[i]) * s.robot->limits().brake[i]);
  }
  const double t = BrakeTime_s(*s.robot, s.wanted);
  return approach > 0 && t > 0 ? approach / t : most;
}

/// False for a robot that is worn: bystanders and furniture are not its promise.
inline bool MovesAmongThings(const robot::RobotModel& robot) {
  return robot.kind() != robot::Kind::kExoskeleton;
}

}  // namespace saferl::safety
