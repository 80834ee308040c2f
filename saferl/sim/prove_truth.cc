#include "saferl/sim/prove_truth.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace saferl::sim {

void World::AddBox(Point2 centre, double half_x, double half_y, double yaw) {
  if (n + 4 > kMaxWalls) return;
  const double c = std::cos(yaw), s = std::sin(yaw);
  Point2 corner[4];
  for (int i = 0; i < 4; ++i) {
    const double x = i == 0 || i == 3 ? -half_x : half_x, y = i < 2 ? -half_y : half_y;
    corner[i] = {centre.x + c * x - s * y, centre.y + s * x + c * y};
  }
  for (int i = 0; i < 4; ++i) wall[n++] = {corner[i], corner[(i + 1) % 4]};
}

void World::Draw(const Footprint& start, double free_m, Random* random) {
  n = 0;
  const int kind = random->Index(4);  // 0: open with clutter, 1: room, 2: corridor, 3: doorway
  const double yaw = random->Uniform(-std::numbers::pi, std::numbers::pi);
  const Point2 middle{start.x + random->Uniform(-1.0, 1.0), start.y + random->Uniform(-1.0, 1.0)};
  if (kind == 1) AddBox(middle, random->Uniform(1.5, 4.0), random->Uniform(1.5, 4.0), yaw);
  if (kind == 2) AddBox(middle, random->Uniform(5.0, 8.0), random->Uniform(0.6, 1.3), yaw);
  if (kind == 3) {
    const double gap = random->Uniform(0.4, 0.9), off = random->Uniform(0.8, 2.5), thick = 0.1;
    const double c = std::cos(yaw), s = std::sin(yaw);
    for (const double side : {-1.0, 1.0}) {
      const double along = side * (gap + 2.0);
      AddBox({middle.x + c * off - s * along, middle.y + s * off + c * along}, thick, 2.0, yaw);
    }
  }
  const int boxes = random->Index(6);
  for (int i = 0; i < boxes; ++i) {
    const double far = random->Uniform(0.8, 4.0),
                 angle = random->Uniform(-std::numbers::pi, std::numbers::pi);
    AddBox({start.x + far * std::cos(angle), start.y + far * std::sin(angle)},
           random->Uniform(0.1, 0.6), random->Uniform(0.1, 0.6),
           random->Uniform(-std::numbers::pi, std::numbers::pi));
  }
  // Whatever is too near the start pose goes, box by box.
  int kept = 0;
  for (int box = 0; box < n; box += 4) {
    bool free = true;
    for (int i = 0; i < 4; ++i) free = free && TrueDistance(start, wall[box + i]) > free_m;
    if (!free) continue;
    std::copy(wall.begin() + box, wall.begin() + box + 4, wall.begin() + kept);
    kept += 4;
  }
  n = kept;
}

void TrueRanges(const World& world, double x, double y, double yaw, double max_range_m,
                std::span<double> ranges) {
  const int beams = static_cast<int>(ranges.size());
  const double two_pi = 2.0 * std::numbers::pi, step = two_pi / beams;
  const double cos_step = std::cos(step), sin_step = std::sin(step);
  std::fill(ranges.begin(), ranges.end(), std::numeric_limits<double>::infinity());
  for (const Wall& wall : world.walls()) {
    const double ax = wall.a.x - x, ay = wall.a.y - y, bx = wall.b.x - x, by = wall.b.y - y;
    const double cross = ax * by - ay * bx;
    if (std::abs(cross) < 1e-12) continue;  // seen edge-on
    // The wall spans less than half a turn: beams from the clockwise end to the other, in body
    // angles.
    const double begin =
        std::atan2(cross > 0 ? ay : by, cross > 0 ? ax : bx) - yaw + std::numbers::pi;
    const double span = std::abs(std::atan2(cross, ax * bx + ay * by));
    const int first = static_cast<int>(std::ceil(begin / step));
    const int last = static_cast<int>(std::floor((begin + span) / step));
    const double ux = bx - ax, uy = by - ay;
    // Directions of the beams, turned from one to the next.
    const double angle = yaw - std::numbers::pi + first * step;
    double c = std::cos(angle), s = std::sin(angle);
    for (int k = first; k <= last; ++k) {
      if (k > first) {
        const double turned = c * cos_step - s * sin_step;
        s = s * cos_step + c * sin_step;
        c = turned;
      }
      const double denominator = c * uy - s * ux;
      if (denominator == 0) continue;
      const double range = (ax * uy - ay * ux) / denominator;
      if (range < 0 || range > max_range_m) continue;
      double& r = ranges[static_cast<size_t>(((k % beams) + beams) % beams)];
      r = std::min(r, range);
    }
  }
}

}  // namespace saferl::sim
