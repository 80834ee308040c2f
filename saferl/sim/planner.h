#pragma once
// Ways over the floor plan: a grid planner and the geodesic distance field it leaves behind.
// Experts follow the field, rewards read it, the scene generator uses it to refuse worlds whose
// goals cannot be reached.
//
// Cost of a step = its length x (1 + kNearWallCost (1 - d / kComfort_m)^2), d = distance to the
// nearest box: ways keep to the middle of doorways. Cells nearer than `clearance_m` cost kTightCost
// times as much and make a way "tight". Shapes: row-major (ny x nx), cells of kCell_m. Units:
// metres (of that weighted length). Errors: none; outside the plan or inside a box the distance is
// +inf. RT: lookups yes, building no. Cost: about 2 ms a field for 10 m x 8 m; At() about 10 ns.
// Source: Dijkstra (1959), eight neighbours.

#include <cstdint>
#include <span>
#include <vector>

#include "saferl/sim/plane.h"

namespace saferl::sim {

inline constexpr double kCell_m = 0.08;

/// Where a way may lead, by cells.
struct FloorGrid {
  double x0 = 0, y0 = 0;  ///< outer corner of cell (0, 0)
  int nx = 0, ny = 0;
  double clearance_m = 0.38;  ///< half the width that must pass
  std::vector<float>
      distance_m;  ///< to the nearest box, at the cell's centre; negative inside; capped at 1.5

  int Cell(Point p) const;  ///< -1 outside
  Point Centre(int cell) const;
  double DistanceAt(Point p) const;  ///< clearance of the cell of p; -1 outside
};

FloorGrid BuildFloorGrid(double x0, double y0, double x1, double y1, double clearance_m,
                         std::span<const Box> boxes);

/// Cost to go to one goal, from everywhere.
class DistanceField {
 public:
  DistanceField() = default;
  DistanceField(const FloorGrid& grid, Point goal);

  Point goal() const { return goal_; }
  /// Weighted way to the goal [m]; bilinear between cells.
  double At(Point p) const;
  /// True when the way from p is nowhere narrower than the grid's clearance.
  bool Reachable(Point p) const;
  /// The point of the way `ahead_m` further on, or the goal. With `grid`, corners are cut as far as
  /// the straight line keeps at least the way's own smallest clearance, up to 0.6 m.
  Point Ahead(const FloorGrid& grid, Point p, double ahead_m) const;
  /// The whole way from p to the goal, corners only. Empty when there is none.
  std::vector<Point> Way(const FloorGrid& grid, Point p) const;

 private:
  int Next(int cell) const;
  Point goal_;
  double x0_ = 0, y0_ = 0;
  int nx_ = 0, ny_ = 0, goal_cell_ = -1;
  std::vector<float> cost_;
  std::vector<int8_t> next_;    ///< neighbour number toward the goal, -1 = none
  std::vector<uint8_t> tight_;  ///< the way from here passes a cell nearer than the clearance
};

}  // namespace saferl::sim
