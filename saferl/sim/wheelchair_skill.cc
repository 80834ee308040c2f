#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "saferl/robot/wheelchair.h"
#include "saferl/sim/skill.h"

namespace saferl::sim {
namespace {

constexpr double kHorizon_s = 1.2;  // how far ahead arcs are looked at
constexpr int kArcSteps = 6;
constexpr double kRoom_m = 0.22;   // distance that a careful person likes to keep
constexpr double kTight_m = 0.12;  // below this a robot's own safety slows it down: avoid it more
constexpr double kLeast_m = 0.085;
constexpr double kRoomCost = 3.0;  // metres of way per metre of room
constexpr double kPersonRoom_m = 0.45;
constexpr int64_t kDecision_ns = 700'000'000;
constexpr double kLook_m = 0.35;  // the point ahead of the axle that is led along the way

class WheelchairSkill final : public Skill {
 public:
  WheelchairSkill(std::shared_ptr<const robot::RobotModel> robot,
                  std::shared_ptr<const Scene> scene)
      : robot_(std::move(robot)),
        scene_(std::move(scene)),
        chair_(static_cast<const robot::Wheelchair&>(*robot_)) {}

  int n_goals() const override { return static_cast<int>(scene_->goals.size()); }

  bool Reached(const robot::RobotState& state, int goal) const override {
    const Point d = scene_->goals[static_cast<size_t>(goal)] - Point{state.q[0], state.q[1]};
    return Norm(d) < scene_->goal_radius_m;
  }

  robot::Joints Toward(const Sight& sight, int goal, const Style& style) override {
    Watch(sight);
    const Pose2 pose{sight.robot.q[0], sight.robot.q[1], sight.robot.q[2]};
    if (Norm(scene_->goals[static_cast<size_t>(goal)] - pose.position()) <
        0.5 * scene_->goal_radius_m)
      return {};
    const robot::Joints aim = Aim(pose, goal, style);
    if (!style.careful) return aim;
    const robot::Joints u = BestArc(pose, goal, aim, style);
    // Whoever has decided to drive on does not back out a moment later, nor the other way round.
    const bool back = u[0] < 0;
    if (back != backing_) {
      if (sight.now_ns < decided_ns_ + kDecision_ns) {
        Pose2 end = pose;
        const robot::Joints on = back ? robot::Joints{} : robot::Joints{-0.2};
        return ArcRoom(pose, on, &end) >= 0 ? on : robot::Joints{};
      }
      backing_ = back;
      decided_ns_ = sight.now_ns;
    }
    return u;
  }

  robot::Joints BackOut(const Sight& sight, int goal) override {
    Watch(sight);
    const Pose2 pose{sight.robot.q[0], sight.robot.q[1], sight.robot.q[2]};
    const double back = std::max(-0.3, robot_->limits().command_lower[0]);
    robot::Joints best{};
    double most = -1e9;
    for (const robot::Joints& u :
         {robot::Joints{back, 0}, robot::Joints{back, 0.4}, robot::Joints{back, -0.4},
          robot::Joints{0, 0.7}, robot::Joints{0, -0.7}}) {
      Pose2 end = pose;
      if (ArcRoom(pose, u, &end) < -0.1) continue;
      const double free = FreeDistance(*scene_, {}, chair_.footprint(), end, 0.4);
      const double value =
          free - 0.1 * scene_->fields[static_cast<size_t>(goal)].At(end.position());
      if (value > most) {
        most = value;
        best = u;
      }
    }
    return best;
  }

  robot::Joints At(const Sight& sight, bool at_people) override {
    const Pose2 pose{sight.robot.q[0], sight.robot.q[1], sight.robot.q[2]};
    Point target = pose.position() + Point{std::cos(pose.yaw), std::sin(pose.yaw)};
    double nearest = 1e9;
    if (at_people) {
      for (const robot::HumanPart& part : sight.people) {
        const Point p{part.capsule_W.a.x, part.capsule_W.a.y};
        if (Norm(p - pose.position()) < nearest) {
          nearest = Norm(p - pose.position());
          target = p;
        }
      }
    } else {
      for (const Box& box : scene_->boxes) {
        const double d = Distance(box, pose.position());
        if (d < nearest) {
          nearest = d;
          target = NearestOn(box, pose.position());
        }
      }
    }
    return Steer(pose, target, {.gain = 1.5, .pace = 1.0, .careful = false});
  }

 private:
  static Point NearestOn(const Box& box, Point p) {
    const Pose2 frame{box.x, box.y, box.yaw};
    const Point b = ToBody(frame, p);
    return ToWorld(frame, {std::clamp(b.x, -box.half_x, box.half_x),
                           std::clamp(b.y, -box.half_y, box.half_y)});
  }

  /// Remembers where people were, to guess where they walk.
  void Watch(const Sight& sight) {
    const double dt = 1e-9 * static_cast<double>(sight.now_ns - watched_ns_);
    const size_t n = std::min(sight.people.size(), people_.size());
    const bool known = n == n_people_ && dt > 1e-6 && dt < 0.5;
    for (size_t i = 0; i < n; ++i) {
      const math::Capsule& capsule = sight.people[i].capsule_W;
      const Point p{capsule.a.x, capsule.a.y};
      velocity_[i] = known ? (1.0 / dt) * (p - people_[i].p) : Point{};
      people_[i] = {p, capsule.radius};
      // Whoever is near already may stay as near: it is always allowed to leave.
      gap_[i] = Distance(Placed(chair_.footprint(),
                                {sight.robot.q[0], sight.robot.q[1], sight.robot.q[2]}),
                         p) -
                capsule.radius;
    }
    n_people_ = n;
    watched_ns_ = sight.now_ns;
  }

  robot::Joints Steer(Pose2 pose, Point target, const Style& style) const {
    const auto& limits = robot_->limits();
    const Point b = ToBody(pose, target);
    const double bearing = std::atan2(b.y, b.x);
    const double turn_max = std::min(limits.command_upper[1], 1.2);
    robot::Joints u{};
    u[1] = std::clamp(2.0 * style.gain * bearing, -style.pace * turn_max, style.pace * turn_max);
    const double ahead = std::max(0.0, 1.0 - std::abs(bearing) / 0.9);
    u[0] = style.pace * limits.command_upper[0] * ahead;
    return u;
  }

  /// The command toward the way's point ahead, slower near the goal and between close walls.
  robot::Joints Aim(Pose2 pose, int goal, const Style& style) const {
    const DistanceField& field = scene_->fields[static_cast<size_t>(goal)];
    robot::Joints u = Steer(pose, field.Ahead(scene_->grid, pose.position(), style.ahead_m), style);
    const double to_goal = Norm(field.goal() - pose.position());
    u[0] = std::min(u[0], 0.15 + 0.8 * to_goal);
    if (style.careful) u[0] = std::min(u[0], 0.25 + 1.0 * scene_->grid.DistanceAt(pose.position()));
    return u;
  }

  /// Least free distance along the arc of u; people are taken to walk on. Negative: touches.
  double ArcRoom(Pose2 pose, const robot::Joints& u, Pose2* end, double* shortage = nullptr) const {
    // Not nearer than kLeast_m to anything; where it is nearer already, not nearer than now.
    const double now = FreeDistance(*scene_, {}, chair_.footprint(), pose, kRoom_m);
    const double least = std::max(0.02, std::min(kLeast_m, now - 0.005));
    double sum = 0;
    robot::Joints q{pose.x, pose.y, pose.yaw};
    double room = 2 * kPersonRoom_m;
    for (int k = 1; k <= kArcSteps; ++k) {
      q = robot::Wheelchair::Arc(q, u, kHorizon_s / kArcSteps);
      const Pose2 at{q[0], q[1], q[2]};
      const Box body = Placed(chair_.footprint(), at);
      const double t = kHorizon_s * k / kArcSteps;
      for (size_t i = 0; i < n_people_; ++i) {
        const double gap = Distance(body, people_[i].p + t * velocity_[i]) - people_[i].radius;
        room = std::min(room, gap - std::max(0.03, std::min(kPersonRoom_m, gap_[i] - 0.01)));
      }
      const double free = FreeDistance(*scene_, {}, chair_.footprint(), at, kRoom_m);
      sum += (kRoom_m - free) + 3 * std::max(0.0, kTight_m - free);
      room = std::min(room, free - least);
      if (room < 0) return room;
      *end = at;
    }
    if (shortage != nullptr) *shortage = sum / kArcSteps;
    return room;
  }

  /// Way that is left from the point ahead, plus what the arc lacks in room on average: near a
  /// doorway's post every step toward its middle counts.
  double Cost(Pose2 end, const DistanceField& field, double look, double shortage) const {
    const Point p = end.position() + look * Point{std::cos(end.yaw), std::sin(end.yaw)};
    return field.At(p) + kRoomCost * shortage;
  }

  robot::Joints BestArc(Pose2 pose, int goal, const robot::Joints& aim, const Style& style) const {
    const auto& limits = robot_->limits();
    const DistanceField& field = scene_->fields[static_cast<size_t>(goal)];
    const double look = std::min(kLook_m, 0.4 * Norm(field.goal() - pose.position()));
    const double v = style.pace * limits.command_upper[0];
    const double w = style.pace * std::min(limits.command_upper[1], 1.2);
    const double slow = std::min(v, std::max(0.15, aim[0]));
    std::array<robot::Joints, 40> candidate{};
    int n = 0;
    candidate[n++] = aim;
    for (const double speed : {slow, 0.5 * slow, 0.2 * slow, 0.0}) {
      for (const double turn : {-1.0, -0.5, -0.25, -0.1, 0.0, 0.1, 0.25, 0.5, 1.0}) {
        if ((speed > 0 || std::abs(turn) > 0.3)) candidate[n++] = {speed, turn * w};
      }
    }
    if (limits.command_lower[0] < 0)
      candidate[n++] = {std::max(-0.25, limits.command_lower[0]), 0.0};
    robot::Joints best{};
    double least = field.At(pose.position()) + 10.0;
    for (int i = 0; i < n; ++i) {
      Pose2 end = pose;
      double shortage = 0;
      const double room = ArcRoom(pose, candidate[i], &end, &shortage);
      if (room < 0) continue;
      // The straight aim is the comfortable one; backing out is the last thing to do.
      double cost = Cost(end, field, look, shortage);
      if (i == 0) cost -= 0.02;
      if (candidate[i][0] < 0) cost += 1.0;
      if (cost < least) {
        least = cost;
        best = candidate[i];
      }
    }
    return best;
  }

  std::shared_ptr<const robot::RobotModel> robot_;
  std::shared_ptr<const Scene> scene_;
  const robot::Wheelchair& chair_;
  int64_t watched_ns_ = 0, decided_ns_ = -kDecision_ns;
  bool backing_ = false;
  size_t n_people_ = 0;
  std::array<Disc, robot::kMaxParts> people_{};
  std::array<Point, robot::kMaxParts> velocity_{};
  std::array<double, robot::kMaxParts> gap_{};
};

}  // namespace

std::unique_ptr<Skill> MakeWheelchairSkill(std::shared_ptr<const robot::RobotModel> robot,
                                           std::shared_ptr<const Scene> scene) {
  return std::make_unique<WheelchairSkill>(std::move(robot), std::move(scene));
}

}  // namespace saferl::sim
