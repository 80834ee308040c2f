#include "saferl/robot/exoskeleton.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "saferl/base/random.h"
#include "saferl/robot/tube_check.h"

namespace saferl::robot {
namespace {

std::shared_ptr<const Exoskeleton> Exo(std::span<const Override> overrides = {}) {
  const auto loaded = LoadRobot("exoskeleton", overrides);
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  return std::dynamic_pointer_cast<const Exoskeleton>(*loaded);
}

Joints RandomQ(const Exoskeleton& exo, Random& rng) {
  Joints q{};
  for (int j = 0; j < kExoJoints; ++j)
    q[j] = rng.Uniform(exo.limits().q_lower[j], exo.limits().q_upper[j]);
  return q;
}

double Energy(const Exoskeleton& exo, const Joints& q, const Joints& qd) {
  const LegData& l = exo.config().leg;
  double energy = 0;
  for (int leg = 0; leg < 2; ++leg) {
    const double hip = q[2 * leg], shank = hip - q[2 * leg + 1], p = qd[2 * leg],
                 w = p - qd[2 * leg + 1];
    const double vx = l.thigh_length_m * p * std::cos(hip) + l.shank_com_m * w * std::cos(shank);
    const double vz = l.thigh_length_m * p * std::sin(hip) + l.shank_com_m * w * std::sin(shank);
    energy +=
        0.5 * (l.thigh_inertia_kg_m2 + l.thigh_mass_kg * l.thigh_com_m * l.thigh_com_m) * p * p +
        0.5 * l.shank_inertia_kg_m2 * w * w + 0.5 * l.shank_mass_kg * (vx * vx + vz * vz);
    energy -= 9.80665 * (l.thigh_mass_kg * l.thigh_com_m * std::cos(hip) +
                         l.shank_mass_kg *
                             (l.thigh_length_m * std::cos(hip) + l.shank_com_m * std::cos(shank)));
  }
  return energy;
}

TEST(ExoskeletonTest, EquationOfMotionBalancesPower) {
  // d(energy)/dt = torque . rate for every state and torque: checks mass matrix, Coriolis and
  // gravity together.
  const auto exo = Exo();
  Random rng(1);
  for (int trial = 0; trial < 2000; ++trial) {
    const Joints q = RandomQ(*exo, rng);
    Joints qd{}, u{};
    double power = 0;
    for (int j = 0; j < kExoJoints; ++j) {
      qd[j] = rng.Uniform(-4, 4);
      u[j] = rng.Uniform(-80, 80);
      power += u[j] * qd[j];
    }
    const Joints a = exo->Acceleration(q, qd, u);
    const double h = 1e-6;
    Joints q2 = q, qd2 = qd, q1 = q, qd1 = qd;
    for (int j = 0; j < kExoJoints; ++j) {
      q2[j] += h * qd[j];
      qd2[j] += h * a[j];
      q1[j] -= h * qd[j];
      qd1[j] -= h * a[j];
    }
    EXPECT_NEAR((Energy(*exo, q2, qd2) - Energy(*exo, q1, qd1)) / (2 * h), power,
                1e-4 * (1 + std::abs(power)));
  }
}

TEST(ExoskeletonTest, HoldingGravityKeepsTheLegsUp) {
  const auto exo = Exo();
  Random rng(2);
  for (int trial = 0; trial < 200; ++trial) {
    const Joints q = RandomQ(*exo, rng);
    const Joints a = exo->Acceleration(q, {}, exo->Gravity(q));
    for (int j = 0; j < kExoJoints; ++j) EXPECT_NEAR(a[j], 0, 1e-9);
  }
}

TEST(ExoskeletonTest, TubesContainEveryWearerAndNoJointPassesItsRange) {
  const auto exo = Exo();
  const TubeHunt found = HuntTubes(*exo, {.cases = 100000, .seed = 31});
  EXPECT_GT(found.cases, 20000);
  EXPECT_EQ(found.escapes, 0) << found.worst;
  EXPECT_EQ(found.out_of_range, 0);
  EXPECT_EQ(found.too_fast, 0);
  EXPECT_EQ(found.too_weak, 0);
}

}  // namespace
}  // namespace saferl::robot
