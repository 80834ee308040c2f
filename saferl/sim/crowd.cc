#include "saferl/sim/crowd.h"

#include <algorithm>
#include <array>

namespace saferl::sim {
namespace {

constexpr double kTouching_m = 0.01;
constexpr double kRoom_m = 0.4;  // what pedestrians keep to obstacles when they can

}  // namespace

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

Crowd::Crowd(const Scene& scene, Manners manners)
    : scene_(&scene),
      manners_(manners),
      room_m_(manners == Manners::kLooking ? kRoom_m : kTouching_m) {
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

bool Crowd::Free(size_t i, Point next, const Box& body) const {
  const Point here = people_[i].p;
  // Whoever is too near to the body already may only leave.
  if (Touches(body, Disc{next, people_[i].radius + room_m_}) &&
      Distance(body, next) <= Distance(body, here))
    return false;
  if (!walkers_[i].aside) return true;
  return std::ranges::none_of(scene_->boxes, [&](const Box& box) {
    return Touches(box, Disc{next, people_[i].radius}) && Distance(box, next) < Distance(box, here);
  });
}

bool Crowd::Clear(size_t i, Point from, Point to) const {
  constexpr double kStep_m = 0.1;
  const int steps = 1 + static_cast<int>(Norm(to - from) / kStep_m);
  for (int k = 1; k <= steps; ++k) {
    const Disc disc{from + (static_cast<double>(k) / steps) * (to - from), people_[i].radius};
    if (std::ranges::any_of(scene_->boxes, [&](const Box& box) { return Touches(box, disc); }))
      return false;
  }
  return true;
}

bool Crowd::LeaveWay(size_t i, const Box& body) {
  constexpr double kLeast_m = 0.5, kMost_m = 3.0, kStep_m = 0.25;
  Walker& walker = walkers_[i];
  const Point here = people_[i].p, centre{body.x, body.y};
  const double beside = people_[i].radius + room_m_;
  for (double ahead = kLeast_m; ahead <= kMost_m; ahead += kStep_m) {
    const double at = std::clamp(walker.at_m + walker.direction * ahead, 0.0, length_m_[i]);
    const Point back = PointOnWay(scene_->walks[i].way, at);
    if (Touches(body, Disc{back, beside})) continue;
    // Round the nearer side of the body, or else the other one, if there is room.
    const Point d = (1 / std::max(Norm(back - here), 1e-9)) * (back - here);
    const Point left{-d.y, d.x};
    const double c = std::cos(body.yaw), s = std::sin(body.yaw);
    const double wide = std::abs(Dot(left, {c, s})) * body.half_x +
                        std::abs(Dot(left, {-s, c})) * body.half_y + beside;
    const double nearer = Cross(d, centre - here) > 0 ? -1 : 1;
    for (const double side : {nearer, -nearer}) {
      const Point past = centre + (side * wide) * left;
      if (!Clear(i, here, past) || !Clear(i, past, back)) continue;
      walker.side = side;
      walker.aside = true;
      walker.blocked_s = 0;
      walker.nearest_m = Norm(back - here);
      walker.left_m = walker.at_m;
      walker.at_m = at;
      return true;
    }
    return false;
  }
  return false;
}

bool Crowd::StepAside(size_t i, double step_m, const Box& body, Point* next) {
  constexpr std::array kTurn_rad = {0.4, 0.8, 1.2, 1.6, 2.0};
  Walker& walker = walkers_[i];
  if (manners_ == Manners::kBlind) return false;
  if (!walker.aside && !LeaveWay(i, body)) return false;
  const Point here = people_[i].p;
  const Point to = PointOnWay(scene_->walks[i].way, walker.at_m) - here;
  const double scale = step_m / std::max(Norm(to), 1e-9);
  for (const double side : {walker.side, -walker.side}) {
    for (const double turn : kTurn_rad) {
      const Point step = ToWorld({0, 0, side * turn}, scale * to);
      if (!Free(i, here + step, body)) continue;
      *next = here + step;
      walker.side = side;
      return true;
    }
  }
  return false;
}

void Crowd::TurnRound(size_t i, const Box& body) {
  Walker& walker = walkers_[i];
  walker.direction = -walker.direction;
  walker.sent_back = true;
  walker.blocked_s = 0;
  if (!walker.aside) return;
  walker.at_m = walker.left_m;
  if (LeaveWay(i, body)) return;
  walker.nearest_m = Norm(PointOnWay(scene_->walks[i].way, walker.at_m) - people_[i].p);
}

void Crowd::Advance(double dt_s, const Box& body) {
  constexpr double kPatience_s = 1.5, kPassing_s = 3.0, kSentBackRest_s = 8.0, kGettingOn_m = 0.02;
  for (size_t i = 0; i < walkers_.size(); ++i) {
    const Walk& walk = scene_->walks[i];
    Walker& walker = walkers_[i];
    velocity_[i] = {};
    if (walker.rest_s > 0) {
      walker.rest_s -= dt_s;
      continue;
    }
    const double step = walk.speed_m_s * dt_s;
    double at = walker.at_m;
    if (!walker.aside) at = std::clamp(at + walker.direction * step, 0.0, length_m_[i]);
    Point next = PointOnWay(walk.way, at);
    const Point to = next - people_[i].p;
    const bool arrives = Norm(to) <= step + 1e-12;
    if (!arrives) next = people_[i].p + (step / Norm(to)) * to;
    const bool was_aside = walker.aside;
    const bool direct = Free(i, next, body);
    const bool steps = direct || StepAside(i, step, body, &next);
    if (was_aside && Norm(to) < walker.nearest_m - kGettingOn_m) {
      walker.blocked_s = 0;
      walker.nearest_m = Norm(to);
    } else if (!was_aside && direct) {
      // Whoever looks knows that following a body that gives way is not getting on.
      const bool blind = manners_ == Manners::kBlind;
      walker.blocked_s = blind ? 0 : std::max(0.0, walker.blocked_s - 0.5 * dt_s);
    } else {
      walker.blocked_s += dt_s;
      if (walker.blocked_s > (walker.aside ? kPassing_s : kPatience_s)) TurnRound(i, body);
    }
    if (!steps) continue;
    velocity_[i] = (1.0 / dt_s) * (next - people_[i].p);
    people_[i].p = next;
    if (!direct || !arrives) continue;
    walker.aside = false;
    walker.at_m = at;
    if (at <= 0 || at >= length_m_[i]) {
      walker.direction = at <= 0 ? 1 : -1;
      walker.rest_s = walk.pause_s + (walker.sent_back ? kSentBackRest_s : 0.0);
      walker.sent_back = false;
    }
  }
}

}  // namespace saferl::sim
