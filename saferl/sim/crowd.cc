#include "saferl/sim/crowd.h"

#include <algorithm>

namespace saferl::sim {

double WayLength(std::span<const Point> way) {
  double length = 0;
  for (size_t i = 1; i < way.size(); ++i) length += Norm(way[i] - way[i - 1]);
  return length;
}

Point PointOnWay(std::span<const Point> way, double at_m) {
  if (way.empty()) return {};
  for (size_t i = 1; i < way.size(); ++i) {
    const double piece = Norm(way[i] - way[i - 1]);
    if (at_m <= piece && piece > 0)
      return way[i - 1] + std::max(0.0, at_m / piece) * (way[i] - way[i - 1]);
    at_m -= piece;
  }
  return way.back();
}

Crowd::Crowd(const Scene& scene) : scene_(&scene) {
  for (const Walk& walk : scene.walks) length_m_.push_back(WayLength(walk.way));
  Reset();
}

void Crowd::Reset() {
  walkers_.clear();
  people_.clear();
  for (const Walk& walk : scene_->walks) {
    walkers_.push_back({.at_m = walk.begin_m, .direction = walk.backward ? -1 : 1});
    people_.push_back({PointOnWay(walk.way, walk.begin_m), walk.radius_m});
  }
  velocity_.assign(people_.size(), {});
}

void Crowd::Advance(double dt_s, const Box& body) {
  constexpr double kPatience_s = 1.5, kSentBackRest_s = 8.0;
  for (size_t i = 0; i < walkers_.size(); ++i) {
    const Walk& walk = scene_->walks[i];
    Walker& walker = walkers_[i];
    velocity_[i] = {};
    if (walker.rest_s > 0) {
      walker.rest_s -= dt_s;
      continue;
    }
    double at = walker.at_m + walker.direction * walk.speed_m_s * dt_s;
    bool end = false;
    if (at <= 0 || at >= length_m_[i]) {
      at = std::clamp(at, 0.0, length_m_[i]);
      end = true;
    }
    const Point next = PointOnWay(walk.way, at);
    // A step that does not lead away from a touching body is not taken.
    const Disc moved{next, walk.radius_m + 0.01};
    if (Touches(body, moved) && Distance(body, next) <= Distance(body, people_[i].p)) {
      walker.blocked_s += dt_s;
      if (walker.blocked_s > kPatience_s) {
        walker.blocked_s = 0;
        walker.direction = -walker.direction;
        walker.sent_back = true;
      }
      continue;
    }
    walker.blocked_s = 0;
    velocity_[i] = (1.0 / dt_s) * (next - people_[i].p);
    people_[i].p = next;
    walker.at_m = at;
    if (end) {
      walker.direction = -walker.direction;
      walker.rest_s = walk.pause_s + (walker.sent_back ? kSentBackRest_s : 0.0);
      walker.sent_back = false;
    }
  }
}

}  // namespace saferl::sim
