#pragma once
// A flat world for this room's tests: walls, walkers, a lidar, an expert with a way to follow and a
// chair that does what it is told. Kept apart from the sim room on purpose: the lower room tests
// itself. Units: SI. Frame: W.

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <vector>

#include "saferl/base/random.h"
#include "saferl/robot/wheelchair.h"
#include "saferl/safety/filter.h"
#include "saferl/safety/gate.h"

namespace saferl::safety::testing {

struct Wall {
  double ax, ay, bx, by;
};

struct Walker {
  double x, y, vx, vy, radius = 0.25;
};

struct World {
  std::vector<Wall> walls;
  std::vector<Walker> walkers;
};

/// Range along a ray; +inf where nothing is hit within 8 m.
inline double CastRay(const World& world, double x, double y, double angle) {
  const double c = std::cos(angle), s = std::sin(angle);
  double best = 8.0;
  for (const Wall& w : world.walls) {
    const double ex = w.bx - w.ax, ey = w.by - w.ay;
    const double det = c * -ey + s * ex;
    if (std::abs(det) < 1e-12) continue;
    const double rx = w.ax - x, ry = w.ay - y;
    const double t = (rx * -ey + ry * ex) / det, u = (c * ry - s * rx) / det;
    if (t > 0 && u >= 0 && u <= 1) best = std::min(best, t);
  }
  return best < 8.0 ? best : std::numeric_limits<double>::infinity();
}

/// Signed distance between the chair's rectangle and the nearest wall (dense points) or walker.
inline double TrueClearance(const World& world, const math::Rectangle& footprint,
                            const robot::Joints& q) {
  const double c = std::cos(q[2]), s = std::sin(q[2]);
  const auto at = [&](double px, double py) {
    return math::SignedDistance(footprint, c * (px - q[0]) + s * (py - q[1]),
                                c * (py - q[1]) - s * (px - q[0]));
  };
  double best = 10;
  for (const Wall& w : world.walls) {
    for (int k = 0; k <= 200; ++k) {
      best = std::min(best, at(w.ax + (w.bx - w.ax) * k / 200, w.ay + (w.by - w.ay) * k / 200));
    }
  }
  for (const Walker& w : world.walkers) best = std::min(best, at(w.x, w.y) - w.radius);
  return best;
}

struct DriveResult {
  bool arrived = false;
  double time_s = 0;
  double worst_clearance_m = 10;
  double moving_clearance_m = 10;  ///< while the chair moved
  int interventions = 0, stored = 0, ticks = 0;
};

struct DriveOptions {
  bool filtered = true;
  uint64_t seed = 1;
  int beams = 360;
  double noise = 1.0;  ///< share of the stated errors
  double limit_s = 60;
  double cruise_m_s = 1.0;
  /// What the person wants; empty = follow `way`.
  std::function<robot::Joints(const robot::Joints& q, double t)> wish;
};

/// Pure pursuit along `way`: slower in turns.
inline robot::Joints Expert(const std::vector<math::Vec3>& way, const robot::Joints& q,
                            double cruise) {
  constexpr double kLook = 0.6;
  // Nearest point of the way, then kLook ahead.
  size_t best = 0;
  double best_d = 1e9, best_t = 0;
  for (size_t i = 0; i + 1 < way.size(); ++i) {
    const math::Vec3 e = way[i + 1] - way[i];
    const double t =
        std::clamp(((q[0] - way[i].x) * e.x + (q[1] - way[i].y) * e.y) / math::Dot(e, e), 0.0, 1.0);
    const double d = std::hypot(way[i].x + t * e.x - q[0], way[i].y + t * e.y - q[1]);
    if (d <= best_d) {
      best = i;
      best_d = d;
      best_t = t;
    }
  }
  double left = kLook;
  size_t i = best;
  double t = best_t;
  while (i + 1 < way.size()) {
    const double length = math::Norm(way[i + 1] - way[i]);
    if (left <= (1 - t) * length || i + 2 == way.size()) {
      t = std::min(1.0, t + left / length);
      break;
    }
    left -= (1 - t) * length;
    ++i;
    t = 0;
  }
  const math::Vec3 p = way[i] + t * (way[i + 1] - way[i]);
  const double bearing = math::WrapAngle(std::atan2(p.y - q[1], p.x - q[0]) - q[2]);
  const double v = cruise * std::max(0.0, 1 - std::abs(bearing) / 0.9);
  return {v, std::clamp(2.0 * bearing, -1.0, 1.0)};
}

inline DriveResult Drive(const SafetyModel& model, World world, robot::Joints q,
                         const std::vector<math::Vec3>& way, const DriveOptions& options) {
  const auto& chair = static_cast<const robot::Wheelchair&>(*model.robot);
  const double dt = chair.period_s();
  const int delay = static_cast<int>(chair.reaction_s() / dt);  // commands act this many ticks late
  Random random(options.seed);
  const auto draw = [&](double bound) { return options.noise * bound * random.Uniform(-1, 1); };
  FilterData data;
  std::vector<robot::Joints> sent(static_cast<size_t>(delay) + 1);
  DriveResult result;
  robot::Observation o;
  int64_t now = 1'000'000'000;
  for (int k = 0; k * dt < options.limit_s; ++k, now += std::llround(1e9 * dt)) {
    const robot::Joints acting = sent[sent.size() - 1 - static_cast<size_t>(delay)];
    o.stamp_ns = o.people_stamp_ns = o.lidar_stamp_ns = o.robot.stamp_ns = now;
    o.sequence = static_cast<uint64_t>(k) + 1;
    for (int i = 0; i < 3; ++i) o.robot.q[i] = q[i] + draw(chair.state_error_q()[i]);
    for (int i = 0; i < 2; ++i) o.robot.qd[i] = acting[i] + draw(chair.state_error_qd()[i]);
    o.n_lidar = options.beams;
    const math::Vec3 l = model.p_BLidar;
    const double lx = q[0] + std::cos(q[2]) * l.x - std::sin(q[2]) * l.y;
    const double ly = q[1] + std::sin(q[2]) * l.x + std::cos(q[2]) * l.y;
    for (int b = 0; b < options.beams; ++b) {
      const double angle = q[2] - std::numbers::pi + 2 * std::numbers::pi * b / options.beams;
      o.lidar_m[b] = static_cast<float>(CastRay(world, lx, ly, angle) + draw(model.lidar_error_m));
    }
    o.n_parts = static_cast<int32_t>(world.walkers.size());
    for (int p = 0; p < o.n_parts; ++p) {
      const Walker& w = world.walkers[static_cast<size_t>(p)];
      const double e = 0.7 * model.human.error_m;
      const math::Vec3 c = {w.x + draw(e), w.y + draw(e), 0};
      o.parts[p] = {{c, c + math::Vec3{0, 0, 1.7}, w.radius},
                    now,
                    robot::Region::kPedestrian,
                    static_cast<uint8_t>(p),
                    0};
    }
    const robot::Joints wanted =
        options.wish ? options.wish(q, k * dt) : Expert(way, q, options.cruise_m_s);
    robot::Joints u;
    ++result.ticks;
    if (options.filtered) {
      const FilterResult r = Filter(model, o, now, wanted, Mode::kNominal, &data);
      const GateResult g =
          Gate(chair, o.robot, data.previous, r.command, Mode::kNominal, r.reason, now, o.sequence);
      u = g.command.u;
      Commit(u, &data);
      result.interventions += r.intervened;
      result.stored += r.proof == Proof::kStoredPlan;
    } else {
      const robot::Limits& limits = chair.limits();
      for (int i = 0; i < 2; ++i) {
        const double step = limits.command_rate[i] * dt;
        u[i] = std::clamp(wanted[i], sent.back()[i] - step, sent.back()[i] + step);
        u[i] = std::clamp(u[i], limits.command_lower[i], limits.command_upper[i]);
      }
    }
    sent.push_back(u);
    const robot::Joints rate = sent[sent.size() - 1 - static_cast<size_t>(delay)];
    q = robot::Wheelchair::Arc(q, rate, dt);
    for (Walker& w : world.walkers) {
      w.x += w.vx * dt;
      w.y += w.vy * dt;
    }
    const double clearance = TrueClearance(world, chair.footprint(), q);
    result.worst_clearance_m = std::min(result.worst_clearance_m, clearance);
    if (rate[0] != 0 || rate[1] != 0)
      result.moving_clearance_m = std::min(result.moving_clearance_m, clearance);
    result.time_s = (k + 1) * dt;
    if (!way.empty() && std::hypot(q[0] - way.back().x, q[1] - way.back().y) < 0.4) {
      result.arrived = true;
      break;
    }
  }
  return result;
}

/// Two rooms side by side: a wall along x = 3 with a doorway of `width` around y = 0.
inline World Doorway(double width) {
  World w;
  w.walls = {{3, -4, 3, -width / 2},
             {3, width / 2, 3, 4},
             {3.1, -4, 3.1, -width / 2},
             {3.1, width / 2, 3.1, 4},
             {3, width / 2, 3.1, width / 2},
             {3, -width / 2, 3.1, -width / 2},
             {-3, -4, 9, -4},
             {-3, 4, 9, 4},
             {-3, -4, -3, 4},
             {9, -4, 9, 4}};
  return w;
}

}  // namespace saferl::safety::testing
