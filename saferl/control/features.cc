#include "saferl/control/features.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace saferl::control {

namespace {

using math::Vec3;
using robot::Kind;

constexpr int kGoalFloats = 3;  // wheelchair: distance, sin, cos; arm: goal - tool
constexpr int kLidarOffset = 5;
constexpr int kPeopleOffset = kLidarOffset + kLidarSectors;
constexpr int kWheelchairFloats = kPeopleOffset + 3 * kNearestPeople;
constexpr int kDirectionFloats = 4;  // distance and unit vector

float ToFloat(double x) { return static_cast<float>(x); }

/// Caps from above and keeps NaN, which std::min would drop in one order of its arguments.
double Cap(double x, double cap) { return x > cap ? cap : x; }

int PartCount(const robot::Observation& observation) {
  return std::clamp(observation.n_parts, 0, robot::kMaxParts);
}

void WriteWheelchairGoal(const robot::Observation& observation, const Vec3& goal_W, float* out) {
  const robot::Joints& q = observation.robot.q;
  const double dx = goal_W.x - q[0], dy = goal_W.y - q[1];
  const double distance = std::sqrt(dx * dx + dy * dy);
  const double c = std::cos(q[2]), s = std::sin(q[2]);
  const double forward = c * dx + s * dy, left = -s * dx + c * dy;
  const double inverse = distance > 1e-9 ? 1.0 / distance : 0.0;
  out[0] = ToFloat(Cap(distance, kGoalCap_m));
  out[1] = ToFloat(left * inverse);
  out[2] = ToFloat(distance > 1e-9 ? forward * inverse : 1.0 + 0.0 * distance);
}

/// Beam i of n points at -pi + 2 pi i / n. Sector k covers the beams nearest to its own direction 2
/// pi k / 24.
void WriteLidarSectors(const robot::Observation& observation, float* out) {
  const float cap = static_cast<float>(kRangeCap_m);
  const int n = std::clamp(observation.n_lidar, 0, robot::kMaxLidar);
  std::fill_n(out, kLidarSectors, cap);
  if (n == 0) return;
  // Counted from -pi: slot j spans beams with |i / n - j / 24| < 1 / 48; slot 0 also takes the
  // wrap-around.
  for (int i = 0; i < n; ++i) {
    const int slot = (2 * kLidarSectors * i + n) / (2 * n);
    float& sector = out[(slot + kLidarSectors / 2) % kLidarSectors];
    const float range = observation.lidar_m[static_cast<size_t>(i)];
    sector = range >= sector ? sector : range;
  }
}

/// Planar distance and direction from a point to a capsule's surface.
struct PlanarNearest {
  double distance = 0, dx = 0, dy = 0;
};
PlanarNearest NearestInPlane(double x, double y, const math::Capsule& capsule) {
  const double ux = capsule.b.x - capsule.a.x, uy = capsule.b.y - capsule.a.y;
  const double px = x - capsule.a.x, py = y - capsule.a.y;
  const double length2 = ux * ux + uy * uy;
  const double t = length2 > 0 ? std::clamp((px * ux + py * uy) / length2, 0.0, 1.0) : 0.0;
  const double dx = capsule.a.x + t * ux - x, dy = capsule.a.y + t * uy - y;
  const double axis = std::sqrt(dx * dx + dy * dy);
  const double inverse = axis > 1e-9 ? 1.0 / axis : 0.0;
  const double surface = axis - capsule.radius;
  return {surface > 0 ? surface : 0.0 * surface, dx * inverse, dy * inverse};
}

void WriteNearestPeople(const robot::Observation& observation, float* out) {
  struct Entry {
    PlanarNearest nearest{kRangeCap_m, 0, 0};
    int person = -1;
  };
  std::array<Entry, kNearestPeople> best;
  const robot::Joints& q = observation.robot.q;
  const int n = PartCount(observation);
  for (int i = 0; i < n; ++i) {
    const robot::HumanPart& part = observation.parts[static_cast<size_t>(i)];
    const PlanarNearest nearest = NearestInPlane(q[0], q[1], part.capsule_W);
    if (nearest.distance >= kRangeCap_m) continue;
    int at = 0;  // the same person's entry is replaced, otherwise the last one
    while (at < kNearestPeople - 1 && best[at].person != part.person) ++at;
    if (nearest.distance >= best[at].nearest.distance) continue;
    best[at] = {nearest, part.person};
    for (; at > 0 && best[at].nearest.distance < best[at - 1].nearest.distance; --at)
      std::swap(best[at], best[at - 1]);
  }
  const double c = std::cos(q[2]), s = std::sin(q[2]);
  for (const Entry& entry : best) {
    const PlanarNearest& p = entry.nearest;
    *out++ = ToFloat(p.distance);
    *out++ = ToFloat(-s * p.dx + c * p.dy);
    *out++ = ToFloat(c * p.dx + s * p.dy);
  }
}

void WriteArmPeople(const robot::Observation& observation, const Vec3& tool, float* out) {
  double best = kRangeCap_m;
  Vec3 direction{};
  const int n = PartCount(observation);
  for (int i = 0; i < n; ++i) {
    const math::Capsule& part = observation.parts[static_cast<size_t>(i)].capsule_W;
    // A ball around the part settles most of them.
    const Vec3 axis = part.b - part.a, off = tool - part.a - 0.5 * axis;
    const double reach = best + part.radius + 0.5 * math::Norm(axis);
    if (reach >= 0 && math::Dot(off, off) > 1.000001 * reach * reach) continue;
    const math::Nearest nearest = math::NearestCapsules({tool, tool, 0}, part);
    if (nearest.distance >= best) continue;
    best = nearest.distance;
    direction = nearest.direction;
  }
  out[0] = ToFloat(best);
  out[1] = ToFloat(direction.x);
  out[2] = ToFloat(direction.y);
  out[3] = ToFloat(direction.z);
}

void WriteGoalOffset(const Vec3& goal_W, const Vec3& tool, float* out) {
  const Vec3 d = goal_W - tool;
  out[0] = ToFloat(d.x);
  out[1] = ToFloat(d.y);
  out[2] = ToFloat(d.z);
}

policy::Field MakeField(std::string name, std::string unit, int size, double low, double high) {
  return {std::move(name), std::move(unit), size, ToFloat(low), ToFloat(high)};
}

double LargestMagnitude(const robot::Joints& lower, const robot::Joints& upper, int n) {
  double largest = 0;
  for (int i = 0; i < n; ++i)
    for (double x : {lower[i], upper[i]})
      if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
  return largest > 0 ? largest : 10.0;
}

}  // namespace

FeatureModel MakeFeatureModel(std::shared_ptr<const robot::RobotModel> robot) {
  return {std::move(robot)};
}

int FeatureCount(Kind kind, int n) {
  switch (kind) {
    case Kind::kWheelchair:
      return kWheelchairFloats;
    case Kind::kArm:
      return 2 * n + kGoalFloats + kDirectionFloats;
    case Kind::kExoskeleton:
      return 3 * n;
  }
  return 0;
}

int FeatureCount(const FeatureModel& model) {
  return FeatureCount(model.robot->kind(), model.robot->n());
}

std::vector<policy::Field> ObservationSchema(const FeatureModel& model) {
  const robot::RobotModel& robot = *model.robot;
  const robot::Limits& limits = robot.limits();
  const int n = robot.n();
  std::vector<policy::Field> fields;
  if (robot.kind() == Kind::kWheelchair) {
    fields = {MakeField("goal_distance", "m", 1, 0, kGoalCap_m),
              MakeField("goal_bearing_sin", "1", 1, -1, 1),
              MakeField("goal_bearing_cos", "1", 1, -1, 1),
              MakeField("v", "m/s", 1, limits.command_lower[0], limits.command_upper[0]),
              MakeField("omega", "rad/s", 1, limits.command_lower[1], limits.command_upper[1]),
              MakeField("lidar_sector", "m", kLidarSectors, 0, kRangeCap_m)};
    for (int i = 0; i < kNearestPeople; ++i) {
      const std::string prefix = "person_" + std::to_string(i);
      fields.push_back(MakeField(prefix + "_distance", "m", 1, 0, kRangeCap_m));
      fields.push_back(MakeField(prefix + "_bearing_sin", "1", 1, -1, 1));
      fields.push_back(MakeField(prefix + "_bearing_cos", "1", 1, -1, 1));
    }
    return fields;
  }
  const double range = LargestMagnitude(limits.q_lower, limits.q_upper, n);
  const double speed = LargestMagnitude(limits.qd_max, limits.qd_max, n);
  fields = {MakeField("q", "rad", n, -range, range), MakeField("qd", "rad/s", n, -speed, speed)};
  if (robot.kind() == Kind::kArm) {
    fields.push_back(MakeField("goal_minus_tool", "m", kGoalFloats, -2, 2));
    fields.push_back(MakeField("person_distance", "m", 1, -1, kRangeCap_m));
    fields.push_back(MakeField("person_direction", "1", 3, -1, 1));
  } else {
    const double torque = LargestMagnitude(limits.effort_max, limits.effort_max, n);
    fields.push_back(MakeField("interaction", "Nm", n, -torque, torque));
  }
  return fields;
}

std::vector<policy::Field> ActionSchema(const FeatureModel& model) {
  const robot::RobotModel& robot = *model.robot;
  const robot::Limits& limits = robot.limits();
  if (robot.kind() == Kind::kWheelchair)
    return {MakeField("v", "m/s", 1, limits.command_lower[0], limits.command_upper[0]),
            MakeField("omega", "rad/s", 1, limits.command_lower[1], limits.command_upper[1])};
  const bool arm = robot.kind() == Kind::kArm;
  std::vector<policy::Field> fields;
  for (int i = 0; i < robot.n(); ++i)
    fields.push_back(MakeField((arm ? "qd_" : "tau_") + std::to_string(i), arm ? "rad/s" : "Nm", 1,
                               limits.command_lower[i], limits.command_upper[i]));
  return fields;
}

int ExtractFeatures(const FeatureModel& model, const robot::Observation& observation,
                    const Vec3& goal_W, std::span<float> out) {
  const robot::RobotModel& robot = *model.robot;
  const int n = robot.n(), count = FeatureCount(robot.kind(), n);
  if (static_cast<int>(out.size()) < count) return 0;
  float* p = out.data();
  const robot::RobotState& state = observation.robot;
  if (robot.kind() == Kind::kWheelchair) {
    WriteWheelchairGoal(observation, goal_W, p);
    p[3] = ToFloat(state.qd[0]);
    p[4] = ToFloat(state.qd[1]);
    WriteLidarSectors(observation, p + kLidarOffset);
    WriteNearestPeople(observation, p + kPeopleOffset);
    return count;
  }
  for (int i = 0; i < n; ++i) p[i] = ToFloat(state.q[i]);
  for (int i = 0; i < n; ++i) p[n + i] = ToFloat(state.qd[i]);
  p += 2 * n;
  if (robot.kind() == Kind::kArm) {
    const Vec3 tool = ToolPosition(robot, state.q);
    WriteGoalOffset(goal_W, tool, p);
    WriteArmPeople(observation, tool, p + kGoalFloats);
  } else {
    for (int i = 0; i < n; ++i) p[i] = ToFloat(observation.interaction[i]);
  }
  return count;
}

void RetargetFeatures(const FeatureModel& model, const robot::Observation& observation,
                      const Vec3& goal_W, std::span<float> out) {
  const robot::RobotModel& robot = *model.robot;
  if (static_cast<int>(out.size()) < FeatureCount(model)) return;
  if (robot.kind() == Kind::kWheelchair) WriteWheelchairGoal(observation, goal_W, out.data());
  if (robot.kind() == Kind::kArm)
    WriteGoalOffset(goal_W, ToolPosition(robot, observation.robot.q), out.data() + 2 * robot.n());
}

void ActionScaling(const FeatureModel& model, std::vector<float>* scale,
                   std::vector<float>* offset) {
  const robot::Limits& limits = model.robot->limits();
  const int n = model.robot->n();
  scale->resize(static_cast<size_t>(n));
  offset->resize(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) {
    (*scale)[i] = ToFloat(0.5 * (limits.command_upper[i] - limits.command_lower[i]));
    (*offset)[i] = ToFloat(0.5 * (limits.command_upper[i] + limits.command_lower[i]));
  }
}

void ActionToCommand(const FeatureModel& model, std::span<const float> action,
                     robot::Joints* command) {
  const robot::Limits& limits = model.robot->limits();
  const int n = std::min(model.robot->n(), static_cast<int>(action.size()));
  *command = {};
  for (int i = 0; i < n; ++i) {
    double a = static_cast<double>(action[i]);
    if (a > 1) a = 1;
    if (a < -1) a = -1;
    (*command)[i] = 0.5 * ((1 - a) * limits.command_lower[i] + (1 + a) * limits.command_upper[i]);
  }
}

void CommandToAction(const FeatureModel& model, const robot::Joints& command,
                     std::span<float> action) {
  const robot::Limits& limits = model.robot->limits();
  const int n = std::min(model.robot->n(), static_cast<int>(action.size()));
  for (int i = 0; i < n; ++i) {
    const double span = limits.command_upper[i] - limits.command_lower[i];
    double a =
        span > 0 ? (2 * command[i] - limits.command_lower[i] - limits.command_upper[i]) / span : 0;
    if (a > 1) a = 1;
    if (a < -1) a = -1;
    action[i] = ToFloat(a);
  }
}

Vec3 ToolPosition(const robot::RobotModel& robot, const robot::Joints& q) {
  robot::Placement placement;
  robot.Place(q, &placement);
  return placement.n_links > 0 ? placement.link_W[static_cast<size_t>(placement.n_links) - 1].b
                               : Vec3{};
}

}  // namespace saferl::control
