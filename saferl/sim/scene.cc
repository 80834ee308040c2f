#include "saferl/sim/scene.h"

#include <algorithm>
#include <numbers>

#include "fmt/format.h"

namespace saferl::sim {

Status FinishScene(double clearance_m, Scene* scene) {
  scene->edges.clear();
  scene->fields.clear();
  for (const Box& box : scene->boxes) {
    const std::array<Point, 4> corner = Corners(box);
    for (size_t k = 0; k < 4; ++k) scene->edges.push_back({corner[k], corner[(k + 1) % 4]});
  }
  std::vector<Box> planned = scene->boxes;
  planned.insert(planned.end(), scene->guides.begin(), scene->guides.end());
  scene->grid = BuildFloorGrid(scene->x0, scene->y0, scene->x1, scene->y1, clearance_m, planned);
  for (const Point goal : scene->goals) scene->fields.emplace_back(scene->grid, goal);
  if (scene->goals.empty() || scene->goals.size() > kMaxSceneGoals) {
    return absl::InvalidArgumentError(
        fmt::format("goals: {} given; give 1 to {}", scene->goals.size(), kMaxSceneGoals));
  }
  if (scene->true_goal < 0 || scene->true_goal >= static_cast<int>(scene->goals.size())) {
    return absl::InvalidArgumentError(
        fmt::format("true_goal: {} is not one of the {} goals; count from 0", scene->true_goal,
                    scene->goals.size()));
  }
  for (size_t i = 0; i < scene->goals.size(); ++i) {
    if (scene->fields[i].Reachable(scene->start.position())) continue;
    return absl::InvalidArgumentError(fmt::format(
        "goals[{}] ({:.2f}, {:.2f}): no way from the start ({:.2f}, {:.2f}) is {:.2f} m wide; move "
        "the goal or "
        "what stands between",
        i, scene->goals[i].x, scene->goals[i].y, scene->start.x, scene->start.y, 2 * clearance_m));
  }
  for (size_t i = 0; i < scene->walks.size(); ++i) {
    const Walk& walk = scene->walks[i];
    if (walk.way.size() >= 2 && walk.speed_m_s >= 0 && walk.radius_m > 0) continue;
    return absl::InvalidArgumentError(fmt::format(
        "walks[{}]: needs two corners, a speed of at least 0 m/s and a radius above 0 m", i));
  }
  return absl::OkStatus();
}

Contact FindContact(const Scene& scene, std::span<const Disc> people,
                    const math::Rectangle& footprint, Pose2 pose) {
  const Box body = Placed(footprint, pose);
  for (size_t i = 0; i < people.size(); ++i) {
    if (Touches(body, people[i])) return {Contact::With::kPedestrian, static_cast<int>(i)};
  }
  Contact found;
  const double reach = body.radius();
  for (size_t i = 0; i < scene.boxes.size(); ++i) {
    const Box& box = scene.boxes[i];
    const double far = reach + box.half_x + box.half_y;
    const Point d{box.x - body.x, box.y - body.y};
    if (Dot(d, d) > far * far || !Touches(body, box)) continue;
    if (scene.kinds[i] != BoxKind::kWall) return {Contact::With::kFurniture, static_cast<int>(i)};
    found = {Contact::With::kWall, static_cast<int>(i)};
  }
  return found;
}

double FreeDistance(const Scene& scene, std::span<const Disc> people,
                    const math::Rectangle& footprint, Pose2 pose, double enough_m) {
  const Box body = Placed(footprint, pose);
  double free = enough_m;
  for (const Disc& disc : people) free = std::min(free, Distance(body, disc.p) - disc.radius);
  const double reach = body.radius();
  // The grid knows how far the middle of a cell is from everything: mostly that is the answer.
  constexpr double kWithinCell_m = 0.5 * std::numbers::sqrt2 * kCell_m + 1e-3;
  const Point centre{body.x, body.y};
  if (scene.grid.DistanceAt(centre) - kWithinCell_m - reach >= free) return std::max(free, 0.0);
  for (const Box& box : scene.boxes) {
    const double far = reach + box.half_x + box.half_y + free;
    const Point d{box.x - body.x, box.y - body.y};
    if (Dot(d, d) > far * far || Distance(box, centre) - reach > free) continue;
    free = std::min(free, Distance(body, box));
  }
  return std::max(free, 0.0);
}

}  // namespace saferl::sim
