#pragma once
// A scene: one floor plan for the wheelchair, made from a seed or written by hand: rooms joined by
// doorways (0.90 to 1.00 m wide), furniture (boxes, and thin legs of tables and chairs, at least 5
// cm), a start pose, up to four places where the person may be going (one of them is meant) and the
// ways that pedestrians walk.
//
// Model/data: a Scene is const once made and may be shared by threads; what moves is Crowd
// (crowd.h). Guarantees of MakeScene: the start is free for the whole turning circle, every goal
// can be reached on a way that is nowhere narrower than twice `clearance_m`, doorways are free of
// furniture, walks keep off the start. Units: metres, radians, metres per second. Frame: W. Errors:
// FinishScene returns which goal or walk is impossible, and where. RT: no. Cost: MakeScene about 10
// ms (sim_bench); the same seed and options give the same bits on every machine.

#include <cstdint>
#include <span>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/math/geometry.h"
#include "saferl/sim/plane.h"
#include "saferl/sim/planner.h"

namespace saferl::sim {

inline constexpr int kMaxSceneGoals = 4;

/// A side of a box, counter-clockwise: the box lies to its left.
struct Edge {
  Point a, b;
};

enum class BoxKind : uint8_t { kWall, kFurniture, kLeg };

/// One pedestrian's way, walked to its end and back again.
struct Walk {
  std::vector<Point> way;  ///< corners, at least 2
  double speed_m_s = 1.0;  ///< at most 1.4 from MakeScene
  double radius_m = 0.25;
  double begin_m = 0;     ///< where on the way it starts
  double pause_s = 1.0;   ///< rest at either end
  bool backward = false;  ///< starts toward the first corner
};

struct Scene {
  uint64_t seed = 0;
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;  ///< inside of the outer walls
  std::vector<Box> boxes;                 ///< everything that stands
  std::vector<BoxKind> kinds;             ///< (boxes)
  std::vector<Box> guides;   ///< rails beside doorways, for the planner alone: ways pass straight
  std::vector<Point> doors;  ///< middles of the doorways
  Pose2 start;
  std::vector<Point> goals;     ///< 1 to 4 candidates
  int true_goal = 0;            ///< the one the person means
  double goal_radius_m = 0.35;  ///< reached when the chair's origin is this near
  std::vector<Walk> walks;

  // Written by FinishScene.
  std::vector<Edge> edges;  ///< 4 per box, same order
  FloorGrid grid;
  std::vector<DistanceField> fields;  ///< one per goal

  const DistanceField& true_field() const { return fields[static_cast<size_t>(true_goal)]; }
};

struct SceneOptions {
  int min_rooms = 1, max_rooms = 4;
  double min_width_m = 6.5, max_width_m = 10.0;  ///< of the building, along x
  double min_depth_m = 5.5, max_depth_m = 8.0;   ///< along y
  double min_door_m = 0.90, max_door_m = 1.00;
  int max_furniture = 12;  ///< boxes, tables and chairs
  int n_goals = 4;
  int min_pedestrians = 0, max_pedestrians = 2;
  double max_walk_m_s = 1.4;
  /// Whoever stands at an end of a walk leaves a way to every goal: without that a pedestrian can
  /// close a doorway for good, and nobody could solve the scene.
  bool passable_walks = false;
  double min_way_m = 3.0;          ///< weighted way from the start to every goal
  double clearance_m = 0.38;       ///< half the width that every way offers
  double turning_radius_m = 0.80;  ///< free around the start
  double goal_clearance_m = 0.60;  ///< free around every goal
};

Scene MakeScene(uint64_t seed, const SceneOptions& options = {});

/// Fills edges, grid and fields of a scene written by hand; says which goal or walk cannot be.
Status FinishScene(double clearance_m, Scene* scene);

/// What a body touches.
struct Contact {
  enum class With : uint8_t { kNothing, kWall, kFurniture, kPedestrian } with = With::kNothing;
  int index = -1;  ///< into boxes or people
};
/// The first thing that the rectangle `footprint` at `pose` overlaps; people before furniture
/// before walls.
Contact FindContact(const Scene& scene, std::span<const Disc> people,
                    const math::Rectangle& footprint, Pose2 pose);
/// Free distance around the rectangle to everything that stands and to `people`; 0 when touching;
/// at most `enough_m`.
double FreeDistance(const Scene& scene, std::span<const Disc> people,
                    const math::Rectangle& footprint, Pose2 pose, double enough_m);

}  // namespace saferl::sim
