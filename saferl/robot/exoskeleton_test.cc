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

/// With every other freedom taken away, a bound that is 10 % too small is left by some truth, and
/// the full one by none.
TEST(ExoskeletonTest, EachTermOfTheTubeIsNeeded) {
  struct Term {
    const char* name;
    void (*set)(ExoskeletonConfig&, double);
    double value;
  };
  const Term terms[] = {
      {"q_error", [](ExoskeletonConfig& c, double x) { c.q_error.fill(x); }, 0.02},
      {"qd_error", [](ExoskeletonConfig& c, double x) { c.qd_error.fill(x); }, 0.2},
      {"wearer", [](ExoskeletonConfig& c, double x) { c.tracking_error = {2 * x, x, 2 * x, x}; },
       2.5},
      {"reaction_s", [](ExoskeletonConfig& c, double x) { c.reaction_s = x; }, 0.0015},
      {"state_age_s", [](ExoskeletonConfig& c, double x) { c.state_age_s = x; }, 0.0005},
  };
  for (const Term& term : terms) {
    ExoskeletonConfig bare = Exo()->config();
    bare.q_error = bare.qd_error = bare.tracking_error = {};
    bare.reaction_s = bare.state_age_s = 0;
    ExoskeletonConfig truth = bare, small = bare;
    term.set(truth, term.value);
    term.set(small, 0.9 * term.value);
    EXPECT_TRUE(HuntTubes(Exoskeleton(truth), truth, {.cases = 1000, .seed = 5}).clean())
        << term.name;
    EXPECT_GT(HuntTubes(Exoskeleton(small), truth, {.cases = 2000, .seed = 6}).escapes, 0)
        << term.name;
  }
}

/// A wearer twice as strong as stated pushes a joint past its range: the range really hangs on the
/// stated torque.
TEST(ExoskeletonTest, AStrongerWearerIsFound) {
  const auto exo = Exo();
  ExoskeletonConfig truth = exo->config();
  for (double& w : truth.tracking_error) w *= 3;
  const TubeHunt found = HuntTubes(*exo, truth, {.cases = 20000, .seed = 8});
  EXPECT_GT(found.out_of_range, 0);
  EXPECT_GT(found.escapes, 0);
}

TEST(ExoskeletonTest, TheEndsOfTheRangeHoldForLong) {
  // Leaning on the ends for eight seconds with all the torque that the wearer has.
  const auto exo = Exo();
  Random rng(9);
  for (const double side : {-1.0, 1.0}) {
    Joints q{}, qd{}, u{};
    for (int j = 0; j < kExoJoints; ++j)
      q[j] = 0.5 * (exo->limits().q_lower[j] + exo->limits().q_upper[j]);
    double nearest = 1e9;
    for (int tick = 0; tick < 4000; ++tick) {
      RobotState seen;
      for (int j = 0; j < kExoJoints; ++j) {
        seen.q[j] = q[j] + rng.Uniform(-1, 1) * exo->state_error_q()[j];
        seen.qd[j] = qd[j] + rng.Uniform(-1, 1) * exo->state_error_qd()[j];
      }
      u = exo->Brake(seen, u);
      for (int step = 0; step < 8; ++step) {
        Joints torque = u;
        for (int j = 0; j < kExoJoints; ++j) torque[j] += side * exo->tracking_error()[j];
        const Joints a = exo->Acceleration(q, qd, torque);
        for (int j = 0; j < kExoJoints; ++j) {
          qd[j] += 0.00025 * a[j];
          q[j] += 0.00025 * qd[j];
          nearest =
              std::min({nearest, exo->limits().q_upper[j] - q[j], q[j] - exo->limits().q_lower[j]});
        }
      }
    }
    EXPECT_GE(nearest, 0);
    EXPECT_LT(nearest, 0.1);  // the wearer did get to an end
  }
}

TEST(ExoskeletonTest, NotANumberIsNeverCertifiedAndBrakingHolds) {
  const auto exo = Exo();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (int which = 0; which < 4; ++which) {
    RobotState state;
    Joints previous{}, command{};
    if (which == 0) state.q[2] = nan;
    if (which == 1) state.qd[0] = nan;
    if (which == 2) previous[1] = nan;
    if (which == 3) command[3] = std::numeric_limits<double>::infinity();
    Manoeuvre m;
    exo->Predict(state, previous, command, &m);
    ASSERT_GE(m.n, 1);
    for (int k = 0; k < m.n; ++k)
      for (int j = 0; j < kExoJoints; ++j)
        EXPECT_TRUE(std::isnan(m.sample[k].q[j] + m.sample[k].q_tube[j]));
  }
  RobotState blind;
  blind.q[0] = nan;
  EXPECT_EQ(exo->Brake(blind, {20, 5, 20, 5}), (Joints{20, 5, 20, 5}));
  EXPECT_EQ(exo->Brake(blind, {nan, 5, 20, 5}), Joints{});
}

TEST(ExoskeletonTest, PlacementFollowsTheAnglesAndNearIsTheRateOfTheDistance) {
  const auto exo = Exo();
  Placement place;
  exo->Place({1.5707963267948966, 1.5707963267948966, 0, 0}, &place);
  EXPECT_NEAR(place.link_W[0].b.x, 0.42, 1e-12);  // thigh forward, shank down
  EXPECT_NEAR(place.link_W[1].b.z, 0.90 - 0.44, 1e-12);
  EXPECT_NEAR(place.link_W[3].b.z, 0.90 - 0.86, 1e-12);
  EXPECT_LT(place.link_W[0].a.y, place.link_W[2].a.y);
  Random rng(10);
  int checked = 0;
  for (int trial = 0; trial < 500; ++trial) {
    RobotState state;
    state.q = RandomQ(*exo, rng);
    exo->Place(state.q, &place);
    const math::Vec3 p{rng.Uniform(-0.8, 0.8), rng.Uniform(-0.5, 0.5), rng.Uniform(0, 1)};
    const math::Capsule ball{p, p, 0.05};
    std::array<Nearness, 4> near;
    const int n = exo->Near(state, place, {&ball, 1}, 2, near);
    EXPECT_EQ(n, 4);
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < kExoJoints; ++j) {
        Joints ahead = state.q, behind = state.q;
        ahead[j] += 1e-6;
        behind[j] -= 1e-6;
        Placement a, b;
        exo->Place(ahead, &a);
        exo->Place(behind, &b);
        const double slope = (math::CapsuleDistance(a.link_W[near[i].link], ball) -
                              math::CapsuleDistance(b.link_W[near[i].link], ball)) /
                             2e-6;
        if (near[i].distance_m < 0) continue;
        EXPECT_NEAR(slope, near[i].gradient[j], 1e-4);
        ++checked;
      }
    }
    const std::array<double, kMaxLinks> reach{};
    EXPECT_DOUBLE_EQ(exo->Clearance(place, {&ball, 1}, reach, 10), near[0].distance_m);
  }
  EXPECT_GT(checked, 2000);
}

TEST(ExoskeletonTest, CreateNamesWhatCannotWork) {
  const auto message = [](auto&& change) {
    ExoskeletonConfig c = Exo()->config();
    change(c);
    const auto made = Exoskeleton::Create(c);
    EXPECT_FALSE(made.ok());
    return std::string(made.status().message());
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(message([](auto& c) { c.limits.brake.fill(15); }), HasSubstr("does not beat"));
  EXPECT_THAT(message([](auto& c) { c.tracking_error.fill(30); }), HasSubstr("wearer_torque_nm"));
  EXPECT_THAT(message([](auto& c) { c.reaction_s = 0.004; }), HasSubstr("reaction_s"));
  EXPECT_THAT(message([](auto& c) { c.damping_1_s = 900; }), HasSubstr("damping_1_s"));
  EXPECT_THAT(message([](auto& c) { c.leg.shank_mass_kg = 0; }), HasSubstr("leg"));
  EXPECT_THAT(message([](auto& c) { c.limits.q_lower = c.limits.q_upper; }),
              HasSubstr("angle_min_rad"));
  EXPECT_THAT(message([](auto& c) { c.period_s = -1; }), HasSubstr("period_s"));
}

}  // namespace
}  // namespace saferl::robot
