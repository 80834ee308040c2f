#pragma once
// Helpers that the constraints share: approach speeds for their rows and a minimum that keeps NaN.
//
// Units: SI. RT: yes. Total.

#include <algorithm>
#include <cmath>

#include "saferl/math/geometry.h"
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

/// A ball (or, for a wheeled base, a disc on the floor) around everything that a manoeuvre sweeps.
struct Bound {
  math::Vec3 center_W;
  double radius_m = 0;
  bool planar = false;
};
inline Bound BoundOf(const robot::Placement& placement, double base_radius_m) {
  if (base_radius_m > 0) return {{placement.x, placement.y, 0}, base_radius_m, true};
  Bound bound;
  for (int i = 0; i < placement.n_links; ++i) {
    bound.center_W = bound.center_W + placement.link_W[i].a + placement.link_W[i].b;
  }
  bound.center_W = (0.5 / std::max(1, placement.n_links)) * bound.center_W;
  for (int i = 0; i < placement.n_links; ++i) {
    const math::Capsule& c = placement.link_W[i];
    bound.radius_m = std::max({bound.radius_m, c.radius + math::Norm(c.a - bound.center_W),
                               c.radius + math::Norm(c.b - bound.center_W)});
  }
  return bound;
}

/// Distance from a point to a capsule's surface, in the plane or in space; never above the true
/// one.
inline double PointDistance(math::Vec3 p, math::Capsule c, bool planar) {
  if (planar) p.z = c.a.z = c.b.z = 0;
  const math::Vec3 axis = c.b - c.a;
  const double length2 = math::Dot(axis, axis);
  const double t = length2 > 0 ? std::clamp(math::Dot(p - c.a, axis) / length2, 0.0, 1.0) : 0.0;
  return math::Norm(c.a + t * axis - p) - c.radius;
}

}  // namespace saferl::safety
