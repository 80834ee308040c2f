// MakeScene: a building is split into rooms by walls with one doorway each; then furniture, start,
// goals and walks are drawn and refused until they fit. All loops are bounded; the last resort is
// an empty room, which always fits.
#include <algorithm>
#include <numbers>

#include "saferl/base/random.h"
#include "saferl/sim/scene.h"

namespace saferl::sim {
namespace {

constexpr double kWallHalf_m = 0.05;
constexpr double kOuterHalf_m = 0.10;
constexpr double kGuide_m = 0.65;  // to either side of a doorway's wall
constexpr double kMinRoom_m = 2.6;

struct Room {
  double x0, y0, x1, y1;
  double width() const { return x1 - x0; }
  double depth() const { return y1 - y0; }
};

class Maker {
 public:
  Maker(uint64_t seed, uint64_t attempt, const SceneOptions& options, bool bare)
      : options_(options), random_(seed, attempt), bare_(bare) {
    scene_.seed = seed;
  }

  bool Make() {
    MakeRooms();
    if (!bare_) Furnish();
    std::vector<Box> planned = scene_.boxes;
    planned.insert(planned.end(), scene_.guides.begin(), scene_.guides.end());
    scene_.grid =
        BuildFloorGrid(scene_.x0, scene_.y0, scene_.x1, scene_.y1, options_.clearance_m, planned);
    if (!PlaceStart() || !PlaceGoals()) return false;
    PlaceWalks();
    return FinishScene(options_.clearance_m, &scene_).ok();
  }
  Scene Take() { return std::move(scene_); }

 private:
  void AddBox(const Box& box, BoxKind kind) {
    scene_.boxes.push_back(box);
    scene_.kinds.push_back(kind);
  }
  void AddWall(double xa, double ya, double xb, double yb) {
    if (xb - xa > 1e-9 && yb - ya > 1e-9) {
      AddBox({0.5 * (xa + xb), 0.5 * (ya + yb), 0, 0.5 * (xb - xa), 0.5 * (yb - ya)},
             BoxKind::kWall);
    }
  }

  void MakeRooms() {
    scene_.x1 = random_.Uniform(options_.min_width_m, options_.max_width_m);
    scene_.y1 = random_.Uniform(options_.min_depth_m, options_.max_depth_m);
    const double w = scene_.x1, d = scene_.y1, t = 2 * kOuterHalf_m;
    AddWall(-t, -t, w + t, 0);
    AddWall(-t, d, w + t, d + t);
    AddWall(-t, 0, 0, d);
    AddWall(w, 0, w + t, d);
    rooms_.push_back({0, 0, w, d});
    const int wanted =
        options_.min_rooms + random_.Index(options_.max_rooms - options_.min_rooms + 1);
    for (int tries = 0; static_cast<int>(rooms_.size()) < wanted && tries < 20; ++tries)
      SplitLargest();
  }

  void SplitLargest() {
    size_t largest = 0;
    for (size_t i = 1; i < rooms_.size(); ++i) {
      if (rooms_[i].width() * rooms_[i].depth() > rooms_[largest].width() * rooms_[largest].depth())
        largest = i;
    }
    const Room room = rooms_[largest];
    const bool across_x = room.width() >= room.depth();  // the new wall runs along y
    const double length = across_x ? room.width() : room.depth();
    const double other = across_x ? room.depth() : room.width();
    if (length < 2 * kMinRoom_m + 0.2 || other < kMinRoom_m) return;
    const double low = across_x ? room.x0 : room.y0, side = across_x ? room.y0 : room.x0;
    const double at = random_.Uniform(low + kMinRoom_m, low + length - kMinRoom_m);
    const double door = random_.Uniform(options_.min_door_m, options_.max_door_m);
    const double opening = side + random_.Uniform(0.65, other - 0.65 - door);
    // A wall may not end in another wall's doorway, nor just beside it.
    for (const Point p : scene_.doors) {
      const double along = across_x ? p.x - at : p.y - at;
      const double beyond = across_x ? std::max(room.y0 - p.y, p.y - room.y1)
                                     : std::max(room.x0 - p.x, p.x - room.x1);
      if (std::abs(along) < 1.1 && beyond < 0.2) return;
    }
    const double a = at - kWallHalf_m, b = at + kWallHalf_m, end = side + other;
    Room second = room;
    if (across_x) {
      AddWall(a, side, b, opening);
      AddWall(a, opening + door, b, end);
      rooms_[largest].x1 = a;
      second.x0 = b;
      scene_.doors.push_back({at, opening + 0.5 * door});
      clear_.push_back({at, opening + 0.5 * door, 0, 1.2, 0.5 * door + 0.2});
      for (const double y : {opening - 0.01, opening + door + 0.01})
        scene_.guides.push_back({at, y, 0, kGuide_m, 0.01});
    } else {
      AddWall(side, a, opening, b);
      AddWall(opening + door, a, end, b);
      rooms_[largest].y1 = a;
      second.y0 = b;
      scene_.doors.push_back({opening + 0.5 * door, at});
      clear_.push_back({opening + 0.5 * door, at, 0, 0.5 * door + 0.2, 1.2});
      for (const double x : {opening - 0.01, opening + door + 0.01})
        scene_.guides.push_back({x, at, 0, 0.01, kGuide_m});
    }
    rooms_.push_back(second);
  }

  /// True and remembered when `box` stands free of everything placed before, with room for the
  /// chair to pass and turn beside it. Pieces against a wall keep that room to furniture only.
  bool Claim(const Box& box, bool against_wall) {
    constexpr double kPassage_m = 1.05;
    const Box wide{box.x, box.y, box.yaw, box.half_x + kPassage_m, box.half_y + kPassage_m};
    for (const Box& other : clear_) {
      if (Touches(box, other)) return false;
    }
    for (size_t i = 0; i < scene_.boxes.size(); ++i) {
      const bool wall = scene_.kinds[i] == BoxKind::kWall;
      if (Touches(against_wall && wall ? box : wide, scene_.boxes[i])) return false;
    }
    clear_.push_back(box);
    return true;
  }

  void AddLegs(const Box& top, double leg_half) {
    for (const double sx : {-1.0, 1.0}) {
      for (const double sy : {-1.0, 1.0}) {
        const Point p = ToWorld({top.x, top.y, top.yaw},
                                {sx * (top.half_x - leg_half), sy * (top.half_y - leg_half)});
        AddBox({p.x, p.y, top.yaw, leg_half, leg_half}, BoxKind::kLeg);
      }
    }
  }

  void PlaceAgainstWall(const Room& room, double half_depth, double half_length) {
    const int wall = random_.Index(4);
    const bool along_x = wall < 2;
    const double low = (along_x ? room.x0 : room.y0) + half_length + 0.02;
    const double high = (along_x ? room.x1 : room.y1) - half_length - 0.02;
    if (high <= low) return;
    const double at = random_.Uniform(low, high);
    const double off = half_depth + 0.005;
    const Box box =
        along_x ? Box{at, wall == 0 ? room.y0 + off : room.y1 - off, 0, half_length, half_depth}
                : Box{wall == 2 ? room.x0 + off : room.x1 - off, at, 0, half_depth, half_length};
    if (Claim(box, true)) AddBox(box, BoxKind::kFurniture);
  }

  void Furnish() {
    const int pieces = random_.Index(options_.max_furniture + 1);
    for (int i = 0; i < pieces; ++i) {
      const Room& room =
          rooms_[static_cast<size_t>(random_.Index(static_cast<int>(rooms_.size())))];
      const int type = random_.Index(5);
      const Pose2 pose{random_.Uniform(room.x0 + 0.5, room.x1 - 0.5),
                       random_.Uniform(room.y0 + 0.5, room.y1 - 0.5),
                       random_.Uniform(-std::numbers::pi, std::numbers::pi)};
      if (type == 0) {  // cabinet
        PlaceAgainstWall(room, random_.Uniform(0.15, 0.30), random_.Uniform(0.25, 0.60));
      } else if (type == 1) {  // bed or sofa
        PlaceAgainstWall(room, random_.Uniform(0.40, 0.50), random_.Uniform(0.80, 1.00));
      } else if (type == 2) {  // crate or stool
        const Box box{pose.x, pose.y, pose.yaw, random_.Uniform(0.15, 0.35),
                      random_.Uniform(0.15, 0.35)};
        if (Claim(box, false)) AddBox(box, BoxKind::kFurniture);
      } else {  // table or chair: what a lidar near the floor sees of it
        const bool table = type == 3;
        const Box top{pose.x, pose.y, pose.yaw, table ? random_.Uniform(0.30, 0.37) : 0.22,
                      table ? random_.Uniform(0.25, 0.35) : 0.22};
        if (Claim(top, false)) AddLegs(top, table ? 0.035 : 0.025);
      }
    }
  }

  /// A random point whose surroundings are free for `clearance`.
  bool FreePoint(double clearance, Point* point) {
    for (int tries = 0; tries < 60; ++tries) {
      const Point p{random_.Uniform(scene_.x0, scene_.x1), random_.Uniform(scene_.y0, scene_.y1)};
      if (scene_.grid.DistanceAt(p) < clearance) continue;
      *point = p;
      return true;
    }
    return false;
  }

  bool PlaceStart() {
    Point p;
    if (!FreePoint(options_.turning_radius_m, &p)) return false;
    scene_.start = {p.x, p.y, random_.Uniform(-std::numbers::pi, std::numbers::pi)};
    from_start_ = DistanceField(scene_.grid, p);
    return true;
  }

  bool PlaceGoals() {
    const int wanted = std::clamp(options_.n_goals, 1, kMaxSceneGoals);
    for (int tries = 0; static_cast<int>(scene_.goals.size()) < wanted && tries < 40; ++tries) {
      Point p;
      if (!FreePoint(options_.goal_clearance_m, &p)) return false;
      if (!from_start_.Reachable(p) || from_start_.At(p) < options_.min_way_m) continue;
      if (std::ranges::any_of(scene_.goals, [&](Point g) { return Norm(g - p) < 1.5; })) continue;
      scene_.goals.push_back(p);
    }
    if (scene_.goals.empty()) return false;
    scene_.true_goal = random_.Index(static_cast<int>(scene_.goals.size()));
    return true;
  }

  /// True when the chair gets to every goal past somebody who stands at p.
  bool PassableWithStander(Point p) const {
    constexpr double kStander_m = 0.28 + 0.45;  // his radius, and what the chair keeps from people
    FloorGrid grid = scene_.grid;
    for (size_t cell = 0; cell < grid.distance_m.size(); ++cell) {
      const double free = Norm(grid.Centre(static_cast<int>(cell)) - p) - kStander_m;
      grid.distance_m[cell] = std::min(grid.distance_m[cell], static_cast<float>(free));
    }
    const DistanceField from_start(grid, scene_.start.position());
    return std::ranges::all_of(scene_.goals, [&](Point g) { return from_start.Reachable(g); });
  }

  void PlaceWalks() {
    const int wanted = options_.min_pedestrians +
                       random_.Index(options_.max_pedestrians - options_.min_pedestrians + 1);
    for (int tries = 0; static_cast<int>(scene_.walks.size()) < wanted && tries < 60; ++tries) {
      Point from, to;
      if (!FreePoint(0.40, &from) || !FreePoint(0.40, &to)) return;
      const Point start = scene_.start.position();
      const bool at_goal = std::ranges::any_of(
          scene_.goals, [&](Point g) { return Norm(g - from) < 1.0 || Norm(g - to) < 1.0; });
      if (at_goal || Norm(from - start) < 2.0 || Norm(to - start) < 2.0 || Norm(to - from) < 2.5)
        continue;
      const DistanceField field(scene_.grid, to);
      if (!field.Reachable(from)) continue;
      Walk walk;
      walk.way = field.Way(scene_.grid, from);
      bool over_start = false;
      for (size_t i = 1; i < walk.way.size(); ++i) {
        over_start |= SegmentDistance(start, walk.way[i - 1], walk.way[i]) < 1.2;
      }
      if (over_start) continue;
      if (options_.passable_walks && !(PassableWithStander(from) && PassableWithStander(to)))
        continue;
      walk.speed_m_s = random_.Uniform(0.5, options_.max_walk_m_s);
      walk.radius_m = random_.Uniform(0.22, 0.28);
      walk.pause_s = random_.Uniform(0.2, 1.5);
      scene_.walks.push_back(std::move(walk));
    }
  }

  const SceneOptions& options_;
  Random random_;
  bool bare_;
  Scene scene_;
  std::vector<Room> rooms_;
  std::vector<Box> clear_;  ///< where nothing more may stand
  DistanceField from_start_;
};

}  // namespace

Scene MakeScene(uint64_t seed, const SceneOptions& options) {
  constexpr uint64_t kAttempts = 40;
  for (uint64_t attempt = 0; attempt < kAttempts; ++attempt) {
    Maker maker(seed, attempt, options, false);
    if (maker.Make()) return maker.Take();
  }
  SceneOptions easy = options;
  easy.min_rooms = easy.max_rooms = 1;
  for (uint64_t attempt = kAttempts;; ++attempt) {
    Maker maker(seed, attempt, easy, true);
    if (maker.Make() || attempt > 2 * kAttempts) return maker.Take();
  }
}

}  // namespace saferl::sim
