#pragma once
// One busy moment per shipped robot, for benches and real-time tests: near things, wish toward
// them. Units: SI.

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "saferl/robot/arm.h"
#include "saferl/robot/exoskeleton.h"
#include "saferl/safety/filter.h"
#include "saferl/safety/testing/chair_world.h"

namespace saferl::safety::testing {

struct Case {
  std::shared_ptr<const SafetyModel> model;
  robot::Observation observation;
  robot::Joints previous{}, easy{}, hard{};  ///< a wish that is safe and one that is not
  int64_t now_ns = 1'000'000'000;
};

inline void AddWorker(robot::Observation* o, int64_t now_ns, double x) {
  using enum robot::Region;
  const robot::Region regions[] = {kSkull,    kNeck,     kChest,   kAbdomen, kPelvis,
                                   kUpperArm, kUpperArm, kForearm, kForearm, kHand,
                                   kHand,     kThigh,    kThigh};
  for (const robot::Region region : regions) {
    const int i = o->n_parts++;
    const bool reaching = robot::IsReaching(region);
    const double z = reaching ? 0.6 : 0.3 + 0.12 * i, px = reaching ? x - 0.15 : x;
    o->parts[i] = {{{px, -0.25 + 0.04 * i, z}, {px, -0.15 + 0.04 * i, z}, 0.08},
                   now_ns,
                   region,
                   0,
                   static_cast<uint16_t>(i)};
  }
}

inline Case MakeCase(const std::string& name) {
  Case c;
  const auto model = LoadSafetyModel(name);
  if (!model.ok()) return c;
  c.model = *model;
  robot::Observation& o = c.observation;
  o.stamp_ns = o.robot.stamp_ns = o.people_stamp_ns = o.lidar_stamp_ns = c.now_ns;
  o.sequence = 1;
  if (c.model->robot->kind() == robot::Kind::kWheelchair) {
    const World world = Doorway(0.9);
    o.robot.q = {2.1, 0.01, 0.02};
    o.robot.qd = c.previous = {0.4, 0};
    o.n_lidar = robot::kMaxLidar;
    for (int b = 0; b < o.n_lidar; ++b) {
      const double angle = o.robot.q[2] - std::numbers::pi + 2 * std::numbers::pi * b / o.n_lidar;
      o.lidar_m[b] = static_cast<float>(
          CastRay(world, o.robot.q[0] + c.model->p_BLidar.x, o.robot.q[1], angle));
    }
    o.n_parts = 2;
    o.parts[0] = {{{6, 1, 0}, {6, 1, 1.7}, 0.25}, c.now_ns, robot::Region::kPedestrian, 0, 0};
    o.parts[1] = {{{5.5, -1, 0}, {5.5, -1, 1.7}, 0.25}, c.now_ns, robot::Region::kPedestrian, 1, 0};
    c.easy = {0.4, 0};
    c.hard = {1.2, 1.2};
  } else if (c.model->robot->kind() == robot::Kind::kArm) {
    o.robot.q = static_cast<const robot::Arm&>(*c.model->robot).home();
    AddWorker(&o, c.now_ns, 1.0);
    for (int i = 0; i < c.model->robot->n(); ++i) {
      c.previous[i] = o.robot.qd[i] = c.easy[i] = 0.05;
      c.hard[i] = i % 2 == 1 ? 1.5 : -1.0;
    }
  } else {
    o.robot.q = {0.3, 0.6, 0.1, 0.2};
    o.robot.qd = {0.5, -0.5, 0.2, 0.1};
    c.previous = c.model->robot->Brake(o.robot, {});
    c.easy = c.previous;
    c.hard = {200, 80, -200, -80};
  }
  return c;
}

}  // namespace saferl::safety::testing
