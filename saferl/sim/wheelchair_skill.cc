#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <optional>

#include "saferl/robot/wheelchair.h"
#include "saferl/sim/seen_people.h"
#include "saferl/sim/skill.h"

namespace saferl::sim {
namespace {

constexpr double kHorizon_s = 1.2;  // how far ahead arcs are looked at
constexpr int kArcSteps = 6;
constexpr double kRoom_m = 0.22;   // distance that a careful person likes to keep
constexpr double kTight_m = 0.12;  // below this a robot's own safety slows it down: avoid it more
constexpr double kLeast_m = 0.085;
constexpr double kRoomCost = 3.0;       // metres of way per metre of room
constexpr double kPersonRoom_m = 0.36;  // least gap to people, where there is a choice
constexpr double kPersonEase_m = 1.2;   // with less gap than that the chair must go slower
constexpr double kPersonCost = 0.6;     // metres of way per metre of that gap
constexpr double kPathRoom_m = 0.30;    // beside somebody's path
constexpr double kPathCost = 1.5;       // metres of way per metre inside it
constexpr double kStander_m = 0.35;     // added around people who stand, for the way round them
constexpr double kWalking_m_s = 1.6, kSeenError_m = 0.08;  // what the chair assumes of people
constexpr double kCreep_s = 0.06;  // the chair is not asked to stop quicker than that
constexpr double kStay_m = 0.2;    // what turning on the spot must be better by, to get out
constexpr double kSqueeze = 20;    // metres of that per metre nearer than one likes to be
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
    Watch(sight, goal);
    const Pose2 pose{sight.robot.q[0], sight.robot.q[1], sight.robot.q[2]};
    if (Norm(scene_->goals[static_cast<size_t>(goal)] - pose.position()) <
        0.5 * scene_->goal_radius_m)
      return {};
    const robot::Joints aim = Aim(pose, style);
    if (!style.careful) return aim;
    const robot::Joints u = BestArc(pose, aim, style);
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
    Watch(sight, goal);
    const Pose2 pose{sight.robot.q[0], sight.robot.q[1], sight.robot.q[2]};
    const double back = std::max(-0.3, robot_->limits().command_lower[0]);
    // The way out that was begun is gone on with.
    const bool begun = sight.now_ns - backed_ns_ < kDecision_ns;
    backed_ns_ = sight.now_ns;
    Pose2 end = pose;
    if (begun && ArcRoom(pose, way_out_, &end) >= 0) return way_out_;
    way_out_ = {};
    double most = -1e9;
    for (const robot::Joints& u :
         {robot::Joints{back, 0}, robot::Joints{back, 0.4}, robot::Joints{back, -0.4},
          robot::Joints{0, 0.7}, robot::Joints{0, -0.7}}) {
      const double room = ArcRoom(pose, u, &end);
      if (room < -0.1) continue;
      const double free = FreeDistance(*scene_, {}, chair_.footprint(), end, 0.4);
      const double value = free - 0.1 * field_->At(end.position()) - (u[0] < 0 ? 0 : kStay_m) +
                           kSqueeze * std::min(room, 0.0);
      if (value > most) {
        most = value;
        way_out_ = u;
      }
    }
    return way_out_;
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

  /// Looks at the people; plans a way round those who stand.
  void Watch(const Sight& sight, int goal) {
    const Pose2 pose{sight.robot.q[0], sight.robot.q[1], sight.robot.q[2]};
    people_.Watch(sight.now_ns, sight.people, Placed(chair_.footprint(), pose));
    const auto same = [](const Disc& a, const Disc& b) { return Norm(a.p - b.p) < 0.05; };
    if (goal != planned_goal_ || !std::ranges::equal(people_.standing(), planned_round_, same))
      Plan(goal);
    // Where people leave no way, the way without them is the one to wait on.
    const bool passable = round_ && std::isfinite(round_->field.At(pose.position()));
    grid_ = passable ? &round_->grid : &scene_->grid;
    field_ = passable ? &round_->field : &scene_->fields[static_cast<size_t>(goal)];
  }

  void Plan(int goal) {
    planned_goal_ = goal;
    planned_round_ = people_.standing();
    round_.reset();
    if (planned_round_.empty()) return;
    FloorGrid grid = scene_->grid;
    for (size_t cell = 0; cell < grid.distance_m.size(); ++cell) {
      const Point p = grid.Centre(static_cast<int>(cell));
      for (const Disc& disc : planned_round_) {
        const double free = Norm(p - disc.p) - disc.radius - kStander_m;
        grid.distance_m[cell] = std::min(grid.distance_m[cell], static_cast<float>(free));
      }
    }
    DistanceField field(grid, scene_->goals[static_cast<size_t>(goal)]);
    round_.emplace(std::move(grid), std::move(field));
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
  robot::Joints Aim(Pose2 pose, const Style& style) const {
    robot::Joints u = Steer(pose, field_->Ahead(*grid_, pose.position(), style.ahead_m), style);
    const double to_goal = Norm(field_->goal() - pose.position());
    u[0] = std::min(u[0], 0.15 + 0.8 * to_goal);
    if (style.careful) u[0] = std::min(u[0], 0.25 + 1.0 * scene_->grid.DistanceAt(pose.position()));
    return u;
  }

  /// Least free distance along the arc of u; people are taken to walk on. Negative: touches.
  /// `shortage`: what the arc lacks in room on average, in metres of way.
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
      const double spare = people_.Spare(body, kHorizon_s * k / kArcSteps, kPersonRoom_m);
      const double free = FreeDistance(*scene_, {}, chair_.footprint(), at, kRoom_m);
      sum += kRoomCost * ((kRoom_m - free) + 3 * std::max(0.0, kTight_m - free));
      sum += kPersonCost * std::max(0.0, kPersonEase_m - kPersonRoom_m - spare);
      room = std::min({room, spare, free - least});
      if (room < 0) return room;
      *end = at;
    }
    if (shortage != nullptr) {
      const Box body = Placed(chair_.footprint(), *end);
      *shortage = sum / kArcSteps + kPathCost * people_.InTheWay(body, kPathRoom_m);
    }
    return room;
  }

  /// Way that is left from the point ahead, plus what the arc lacks in room: near a doorway's post
  /// every step toward its middle counts.
  double Cost(Pose2 end, double look, double shortage) const {
    const Point p = end.position() + look * Point{std::cos(end.yaw), std::sin(end.yaw)};
    return field_->At(p) + shortage;
  }

  /// The share of `u` that the chair can do near people: rest must come before the nearest one can
  /// arrive, and before the way between them is used up by both. Whoever drives the chair knows
  /// that it slows down there.
  robot::Joints Eased(const robot::Joints& u) const {
    const robot::Joints& brake = robot_->limits().brake;
    const double hold = robot_->hold_s() + robot_->period_s() + robot_->state_age_s();
    const double time =
        std::max(kCreep_s, (people_.nearest_m() - kSeenError_m) / kWalking_m_s - hold);
    const double gap = (u[0] < 0 ? people_.behind_m() : people_.ahead_m()) - kSeenError_m;
    // v (hold + v / 2 brake) + walking (hold + v / brake) = gap
    const double left = std::max(0.0, gap - kWalking_m_s * hold);
    const double b = brake[0] * hold + kWalking_m_s;
    const double speed = std::max(kCreep_s * brake[0], std::sqrt(b * b + 2 * brake[0] * left) - b);
    double share = 1;
    if (std::abs(u[0]) > speed) share = speed / std::abs(u[0]);
    for (int i = 0; i < 2; ++i) {
      if (std::abs(u[i]) > time * brake[i])
        share = std::min(share, time * brake[i] / std::abs(u[i]));
    }
    return {share * u[0], share * u[1]};
  }

  robot::Joints BestArc(Pose2 pose, const robot::Joints& aim, const Style& style) const {
    const auto& limits = robot_->limits();
    const double look = std::min(kLook_m, 0.4 * Norm(field_->goal() - pose.position()));
    const double v = style.pace * limits.command_upper[0];
    const double w = style.pace * std::min(limits.command_upper[1], 1.2);
    const double slow = std::min(v, std::max(0.15, aim[0]));
    std::array<robot::Joints, 48> candidate{};
    int n = 0;
    candidate[n++] = aim;
    for (const double speed : {slow, 0.5 * slow, 0.2 * slow, 0.0}) {
      for (const double turn : {-1.0, -0.5, -0.25, -0.1, 0.0, 0.1, 0.25, 0.5, 1.0}) {
        if ((speed > 0 || std::abs(turn) > 0.3)) candidate[n++] = {speed, turn * w};
      }
    }
    if (limits.command_lower[0] < 0) {
      for (const double turn : {0.0, -0.4, 0.4})
        candidate[n++] = {std::max(-0.25, limits.command_lower[0]), turn};
    }
    robot::Joints best{};
    double least = field_->At(pose.position()) + 10.0;
    for (int i = 0; i < n; ++i) {
      const robot::Joints u = Eased(candidate[i]);
      Pose2 end = pose;
      double shortage = 0;
      const double room = ArcRoom(pose, u, &end, &shortage);
      if (room < 0) continue;
      // The straight aim is the comfortable one; backing out is the last thing to do.
      double cost = Cost(end, look, shortage);
      if (i == 0) cost -= 0.02;
      if (u[0] < 0) cost += 1.0;
      if (cost < least) {
        least = cost;
        best = u;
      }
    }
    return best;
  }

  /// The floor with people who stand in it, and the way over it.
  struct Round {
    FloorGrid grid;
    DistanceField field;
  };

  std::shared_ptr<const robot::RobotModel> robot_;
  std::shared_ptr<const Scene> scene_;
  const robot::Wheelchair& chair_;
  int64_t watched_ns_ = 0, decided_ns_ = -kDecision_ns;
  bool backing_ = false;
  int64_t backed_ns_ = -kDecision_ns;
  robot::Joints way_out_{};
  SeenPeople people_;
  int planned_goal_ = -1;
  std::vector<Disc> planned_round_;
  std::optional<Round> round_;
  const FloorGrid* grid_ = nullptr;       ///< of the way in force
  const DistanceField* field_ = nullptr;  ///< the way in force
};

}  // namespace

std::unique_ptr<Skill> MakeWheelchairSkill(std::shared_ptr<const robot::RobotModel> robot,
                                           std::shared_ptr<const Scene> scene) {
  return std::make_unique<WheelchairSkill>(std::move(robot), std::move(scene));
}

}  // namespace saferl::sim
