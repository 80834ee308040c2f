#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "saferl/base/random.h"
#include "saferl/safety/certificate.h"
#include "saferl/safety/testing/chair_world.h"

namespace saferl::safety {
namespace {

constexpr auto kKeepOut = static_cast<size_t>(ConstraintId::kKeepOut);

struct Chair {
  Chair() {
    const auto loaded = LoadSafetyModel("wheelchair");
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    if (loaded.ok()) model = *loaded;
    o.n_lidar = 360;
    o.lidar_m.fill(std::numeric_limits<float>::infinity());
  }
  double KeepOutMargin(const robot::Joints& previous, const robot::Joints& u) {
    AssembleSituation(*model, o, 0, previous, &s);
    std::array<double, kNumConstraints> margins;
    Prove(*model, u, &s, &m, &margins);
    return margins[kKeepOut];
  }
  void Look(const testing::World& world) {
    for (int b = 0; b < 360; ++b) {
      const double angle = o.robot.q[2] - std::numbers::pi + 2 * std::numbers::pi * b / 360;
      const double x = o.robot.q[0] + std::cos(o.robot.q[2]) * model->p_BLidar.x;
      const double y = o.robot.q[1] + std::sin(o.robot.q[2]) * model->p_BLidar.x;
      o.lidar_m[b] = static_cast<float>(testing::CastRay(world, x, y, angle));
    }
  }
  std::shared_ptr<const SafetyModel> model;
  robot::Observation o;
  Situation s;
  robot::Manoeuvre m;
};

TEST(Situation, TheKnownDiscHoldsEveryManoeuvre) {
  Chair chair;
  Random random(2);
  const robot::Limits& limits = chair.model->robot->limits();
  for (int i = 0; i < 5000; ++i) {
    robot::Joints previous{}, u{};
    for (int k = 0; k < 2; ++k) {
      previous[k] = random.Uniform(limits.command_lower[k], limits.command_upper[k]);
      const double step = limits.command_rate[k] * 0.02;
      u[k] = std::clamp(previous[k] + random.Uniform(-step, step), limits.command_lower[k],
                        limits.command_upper[k]);
      chair.o.robot.qd[k] = previous[k];
    }
    ASSERT_GT(chair.KeepOutMargin(previous, u), 0) << u[0] << " " << u[1];
  }
}

void AddBox(double x, double y, double turn, double half_length, double half_width,
            testing::World* world) {
  const double c = std::cos(turn), s = std::sin(turn);
  const auto corner = [&](double l, double w) {
    return std::pair{x + c * l * half_length - s * w * half_width,
                     y + s * l * half_length + c * w * half_width};
  };
  const std::pair<double, double> p[] = {corner(1, 1), corner(-1, 1), corner(-1, -1),
                                         corner(1, -1)};
  for (int k = 0; k < 4; ++k) {
    world->walls.push_back({p[k].first, p[k].second, p[(k + 1) % 4].first, p[(k + 1) % 4].second});
  }
}

// No manoeuvre that is proved ever covers a point of a wall, seen or hidden behind another.
TEST(Situation, WhatLiesHiddenBehindAnEdgeIsNotFree) {
  Chair chair;
  Random random(8);
  int proved = 0, hidden = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    testing::World world;
    for (int k = 0; k < 3; ++k) {
      const double angle = random.Uniform(-3, 3), r = random.Uniform(0.8, 1.8);
      const double half = random.Uniform(0.1, 0.5);
      AddBox(r * std::cos(angle), r * std::sin(angle), random.Uniform(0, 3), half, 0.03, &world);
    }
    const auto& rectangle = static_cast<const robot::Wheelchair&>(*chair.model->robot).footprint();
    if (testing::TrueClearance(world, rectangle, {}) <= 0) continue;
    chair.o.robot.q = {};
    chair.Look(world);
    const robot::Joints u = {random.Uniform(-0.5, 1.2), random.Uniform(-1.5, 1.5)};
    chair.o.robot.qd = u;
    if (!(chair.KeepOutMargin(u, u) >= 0)) continue;
    ++proved;
    for (int k = 0; k < chair.m.n; ++k) {
      ASSERT_GT(testing::TrueClearance(world, rectangle, chair.m.sample[k].q), 0) << trial;
    }
    hidden += chair.s.n_static > 0;
  }
  EXPECT_GT(proved, 300);
  EXPECT_GT(hidden, 100);
}

TEST(Situation, AChairWithoutAUsableLidarIsNotProved) {
  Chair chair;
  const robot::Joints u = {0.3, 0};
  chair.o.robot.qd = u;
  EXPECT_GE(chair.KeepOutMargin(u, u), 0);
  chair.o.lidar_m[100] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(chair.KeepOutMargin(u, u) >= 0);
  chair.o.lidar_m[100] = -1;
  EXPECT_FALSE(chair.KeepOutMargin(u, u) >= 0);
  chair.o.lidar_m[100] = 5;
  chair.o.n_lidar = 0;
  EXPECT_FALSE(chair.KeepOutMargin(u, u) >= 0);
  chair.o.n_lidar = 5000;
  EXPECT_FALSE(chair.KeepOutMargin(u, u) >= 0);
}

TEST(Situation, AnOldSweepIsTakenAsNearer) {
  Chair chair;
  testing::World wall;
  wall.walls = {{1.0, -3, 1.0, 3}};
  chair.Look(wall);
  const robot::Joints u = {0.3, 0};
  chair.o.robot.qd = u;
  const double fresh = chair.KeepOutMargin(u, u);
  chair.o.lidar_stamp_ns = -100'000'000;
  EXPECT_LT(chair.KeepOutMargin(u, u), fresh - 0.1 * 0.3);
}

}  // namespace
}  // namespace saferl::safety
