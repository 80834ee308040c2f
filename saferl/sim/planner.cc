#include "saferl/sim/planner.h"

#include <algorithm>
#include <array>
#include <limits>
#include <queue>
#include <utility>

namespace saferl::sim {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kComfort_m = 0.9;
constexpr double kNearWallCost = 12.0;
constexpr double kTightCost = 30.0;
constexpr double kDistanceCap_m = 1.5;
constexpr std::array<int, 8> kDx = {1, 1, 0, -1, -1, -1, 0, 1};
constexpr std::array<int, 8> kDy = {0, 1, 1, 1, 0, -1, -1, -1};

double StepCost(double distance_m, double clearance_m) {
  const double near = std::max(0.0, 1.0 - distance_m / kComfort_m);
  const double cost = 1.0 + kNearWallCost * near * near;
  return distance_m < clearance_m ? kTightCost * cost : cost;
}

/// Smallest clearance of the cells under the straight line from a to b.
double LineClearance(const FloorGrid& grid, Point a, Point b) {
  const int steps = 1 + static_cast<int>(Norm(b - a) / (0.5 * kCell_m));
  double least = kInf;
  for (int i = 0; i <= steps; ++i) {
    const double t = static_cast<double>(i) / steps;
    least = std::min(least, grid.DistanceAt(a + t * (b - a)));
  }
  return least;
}

}  // namespace

int FloorGrid::Cell(Point p) const {
  const double fx = (p.x - x0) / kCell_m, fy = (p.y - y0) / kCell_m;
  if (!(fx >= 0 && fy >= 0 && fx < nx && fy < ny)) return -1;
  return static_cast<int>(fy) * nx + static_cast<int>(fx);
}

Point FloorGrid::Centre(int cell) const {
  return {x0 + (cell % nx + 0.5) * kCell_m, y0 + (cell / nx + 0.5) * kCell_m};
}

double FloorGrid::DistanceAt(Point p) const {
  const int cell = Cell(p);
  return cell < 0 ? -1.0 : distance_m[static_cast<size_t>(cell)];
}

FloorGrid BuildFloorGrid(double x0, double y0, double x1, double y1, double clearance_m,
                         std::span<const Box> boxes) {
  FloorGrid grid;
  grid.x0 = x0;
  grid.y0 = y0;
  grid.nx = std::max(1, static_cast<int>(std::ceil((x1 - x0) / kCell_m)));
  grid.ny = std::max(1, static_cast<int>(std::ceil((y1 - y0) / kCell_m)));
  grid.clearance_m = clearance_m;
  grid.distance_m.assign(static_cast<size_t>(grid.nx) * grid.ny,
                         static_cast<float>(kDistanceCap_m));
  for (const Box& box : boxes) {
    // Only cells within the cap of the box's bounding rectangle can change.
    const double c = std::abs(std::cos(box.yaw)), s = std::abs(std::sin(box.yaw));
    const double rx = c * box.half_x + s * box.half_y + kDistanceCap_m;
    const double ry = s * box.half_x + c * box.half_y + kDistanceCap_m;
    const int i0 = std::clamp(static_cast<int>((box.x - rx - x0) / kCell_m), 0, grid.nx);
    const int i1 = std::clamp(static_cast<int>((box.x + rx - x0) / kCell_m) + 1, 0, grid.nx);
    const int j0 = std::clamp(static_cast<int>((box.y - ry - y0) / kCell_m), 0, grid.ny);
    const int j1 = std::clamp(static_cast<int>((box.y + ry - y0) / kCell_m) + 1, 0, grid.ny);
    for (int j = j0; j < j1; ++j) {
      for (int i = i0; i < i1; ++i) {
        const int cell = j * grid.nx + i;
        float& nearest = grid.distance_m[static_cast<size_t>(cell)];
        nearest = std::min(nearest, static_cast<float>(Distance(box, grid.Centre(cell))));
      }
    }
  }
  return grid;
}

DistanceField::DistanceField(const FloorGrid& grid, Point goal)
    : goal_(goal),
      x0_(grid.x0),
      y0_(grid.y0),
      nx_(grid.nx),
      ny_(grid.ny),
      goal_cell_(grid.Cell(goal)) {
  const size_t cells = static_cast<size_t>(nx_) * ny_;
  cost_.assign(cells, std::numeric_limits<float>::infinity());
  next_.assign(cells, -1);
  tight_.assign(cells, 0);
  if (goal_cell_ < 0 || grid.distance_m[static_cast<size_t>(goal_cell_)] <= 0) return;
  using Entry = std::pair<float, int>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
  cost_[static_cast<size_t>(goal_cell_)] = 0;
  open.emplace(0.0F, goal_cell_);
  while (!open.empty()) {
    const auto [cost, cell] = open.top();
    open.pop();
    const size_t at = static_cast<size_t>(cell);
    if (cost > cost_[at]) continue;
    const double here = grid.distance_m[at];
    if (here < grid.clearance_m) tight_[at] = 1;
    const int ci = cell % nx_, cj = cell / nx_;
    for (int k = 0; k < 8; ++k) {
      const int i = ci + kDx[k], j = cj + kDy[k];
      if (i < 0 || j < 0 || i >= nx_ || j >= ny_) continue;
      const size_t to = static_cast<size_t>(j * nx_ + i);
      const double there = grid.distance_m[to];
      if (there <= 0) continue;
      const double length = (k % 2 ? std::sqrt(2.0) : 1.0) * kCell_m;
      const double mean =
          0.5 * (StepCost(here, grid.clearance_m) + StepCost(there, grid.clearance_m));
      const float reached = static_cast<float>(cost + length * mean);
      if (reached < cost_[to]) {
        cost_[to] = reached;
        next_[to] = static_cast<int8_t>((k + 4) % 8);
        tight_[to] = tight_[at];
        open.emplace(reached, static_cast<int>(to));
      }
    }
  }
}

int DistanceField::Next(int cell) const {
  const int k = next_[static_cast<size_t>(cell)];
  return k < 0 ? -1 : cell + kDy[static_cast<size_t>(k)] * nx_ + kDx[static_cast<size_t>(k)];
}

double DistanceField::At(Point p) const {
  const double fx = (p.x - x0_) / kCell_m - 0.5, fy = (p.y - y0_) / kCell_m - 0.5;
  if (!(fx > -0.5 && fy > -0.5 && fx < nx_ - 0.5 && fy < ny_ - 0.5)) return kInf;
  const int i = std::clamp(static_cast<int>(std::floor(fx)), 0, std::max(0, nx_ - 2));
  const int j = std::clamp(static_cast<int>(std::floor(fy)), 0, std::max(0, ny_ - 2));
  const double tx = std::clamp(fx - i, 0.0, 1.0), ty = std::clamp(fy - j, 0.0, 1.0);
  const size_t a = static_cast<size_t>(j * nx_ + i);
  const size_t right = nx_ > 1 ? 1 : 0, up = ny_ > 1 ? static_cast<size_t>(nx_) : 0;
  const std::array<double, 4> weight = {(1 - tx) * (1 - ty), tx * (1 - ty), (1 - tx) * ty, tx * ty};
  const std::array<double, 4> cost = {cost_[a], cost_[a + right], cost_[a + up],
                                      cost_[a + right + up]};
  // Beside a box some corners are unreachable: weigh the others.
  double sum = 0, total = 0;
  for (int k = 0; k < 4; ++k) {
    if (!std::isfinite(cost[k])) continue;
    sum += weight[k] * cost[k];
    total += weight[k];
  }
  return total > 1e-12 ? sum / total : kInf;
}

bool DistanceField::Reachable(Point p) const {
  const double fx = (p.x - x0_) / kCell_m, fy = (p.y - y0_) / kCell_m;
  if (!(fx >= 0 && fy >= 0 && fx < nx_ && fy < ny_)) return false;
  const size_t cell = static_cast<size_t>(fy) * static_cast<size_t>(nx_) + static_cast<size_t>(fx);
  return std::isfinite(cost_[cell]) && tight_[cell] == 0;
}

Point DistanceField::Ahead(const FloorGrid& grid, Point p, double ahead_m) const {
  // Neighbouring cells differ by up to a cell's diagonal in clearance: a cut that loses no more
  // than half of it is free.
  constexpr double kCut_m = 0.03;
  constexpr double kAlways_m = 0.18;  // however narrow it is here, move on
  int cell = grid.Cell(p);
  if (cell < 0 || !std::isfinite(cost_[static_cast<size_t>(cell)])) return goal_;
  Point best = grid.Centre(cell);
  double way = 0, least = std::min(0.6, grid.DistanceAt(p));
  while (way < ahead_m) {
    const int next = Next(cell);
    if (next < 0) return LineClearance(grid, p, goal_) >= least - kCut_m ? goal_ : best;
    const Point to = grid.Centre(next);
    way += Norm(to - grid.Centre(cell));
    cell = next;
    least = std::min(least, static_cast<double>(grid.distance_m[static_cast<size_t>(cell)]));
    if (way > kAlways_m && LineClearance(grid, p, to) < least - kCut_m) break;
    best = to;
  }
  return best;
}

std::vector<Point> DistanceField::Way(const FloorGrid& grid, Point p) const {
  std::vector<Point> way;
  int cell = grid.Cell(p);
  if (cell < 0 || !std::isfinite(cost_[static_cast<size_t>(cell)])) return way;
  way.push_back(p);
  int last = -1;
  while (cell != goal_cell_) {
    const int direction = next_[static_cast<size_t>(cell)];
    if (last >= 0 && direction != last) way.push_back(grid.Centre(cell));
    last = direction;
    cell = Next(cell);
  }
  way.push_back(goal_);
  return way;
}

}  // namespace saferl::sim
