#include "saferl/robot/wheelchair.h"

#include <gtest/gtest.h>

#include <limits>
#include <numbers>

#include "saferl/base/random.h"
#include "saferl/robot/tube_check.h"

namespace saferl::robot {
namespace {

WheelchairConfig TestChair() {
  WheelchairConfig c;
  c.period_s = 0.02;
  c.reaction_s = 0.05;
  c.state_age_s = 0.01;
  c.limits.command_lower = {-0.5, -1.5};
  c.limits.command_upper = {1.2, 1.5};
  c.limits.command_rate = {1.0, 2.5};
  c.limits.brake = {1.5, 3.5};
  c.q_error = {0.01, 0.01, 0.01};
  c.qd_error = {0.02, 0.02};
  c.tracking_error = {0.02, 0.02};
  c.footprint = {-0.35, 0.65, 0.32};
  c.tip_over = {0.55, 0.40, 0.30, 0.28};
  c.mass_kg = 180;
  return c;
}

TEST(WheelchairTest, TubesContainEveryChairWithinItsUncertainty) {
  const Wheelchair model(TestChair());
  const TubeHunt found = HuntTubes(
      model, TestChair(), {.cases = 100000, .seed = 11, .step_s = 0.004, .check_every = 2});
  EXPECT_EQ(found.escapes, 0) << "worst escape " << found.worst << " m";
}

/// With every other freedom taken away, a bound that is 10 % too small is left by some chair, and
/// the full one by none.
TEST(WheelchairTest, EachTermOfTheTubeIsNeeded) {
  struct Term {
    const char* name;
    void (*set)(WheelchairConfig&, double);
    double value;
  };
  const Term terms[] = {
      {"reaction_s", [](WheelchairConfig& c, double x) { c.reaction_s = x; }, 0.05},
      {"state_age_s", [](WheelchairConfig& c, double x) { c.state_age_s = x; }, 0.05},
      {"q_error x y", [](WheelchairConfig& c, double x) { c.q_error[0] = c.q_error[1] = x; }, 0.05},
      {"q_error yaw", [](WheelchairConfig& c, double x) { c.q_error[2] = x; }, 0.05},
      {"tracking v", [](WheelchairConfig& c, double x) { c.tracking_error[0] = x; }, 0.1},
      {"tracking omega", [](WheelchairConfig& c, double x) { c.tracking_error[1] = x; }, 0.1},
      {"brake",
       [](WheelchairConfig& c, double x) {
         c.limits.brake[0] = 1.5 * x, c.limits.brake[1] = 3.5 * x;
       },
       1.0},
  };
  for (const Term& term : terms) {
    WheelchairConfig bare = TestChair();
    bare.q_error = bare.qd_error = bare.tracking_error = {};
    bare.reaction_s = bare.state_age_s = 0;
    WheelchairConfig truth = bare, small = bare;
    term.set(truth, term.value);
    const bool is_brake = std::string_view(term.name) == "brake";
    term.set(small, (is_brake ? 1.0 / 0.9 : 0.9) * term.value);
    EXPECT_EQ(
        HuntTubes(Wheelchair(truth), truth, {.cases = 1000, .seed = 5, .step_s = 0.001}).escapes, 0)
        << term.name;
    EXPECT_GT(HuntTubes(Wheelchair(small), truth,
                        {.cases = 20000, .seed = 6, .step_s = 0.001, .stop_at_first = true})
                  .escapes,
              0)
        << term.name;
  }
}

TEST(WheelchairTest, ArcMatchesIntegration) {
  Random rng(3);
  for (int k = 0; k < 2000; ++k) {
    const Joints q{rng.Uniform(-3, 3), rng.Uniform(-3, 3), rng.Uniform(-3, 3)};
    const Joints u{rng.Uniform(-1, 1), k % 3 ? rng.Uniform(-2, 2) : rng.Uniform(-1e-4, 1e-4)};
    const Joints arc = Wheelchair::Arc(q, u, 0.7);
    Joints p = q;
    const int steps = 4000;
    const double dt = 0.7 / steps;
    for (int i = 0; i < steps; ++i) {
      const double mid = p[2] + 0.5 * dt * u[1];
      p[0] += dt * u[0] * std::cos(mid);
      p[1] += dt * u[0] * std::sin(mid);
      p[2] += dt * u[1];
    }
    for (int j = 0; j < 3; ++j) EXPECT_NEAR(arc[j], p[j], 1e-6);
  }
}

TEST(WheelchairTest, BrakingKeepsTheCurvatureAndStopsInTime) {
  const Wheelchair chair(TestChair());
  Random rng(4);
  for (int k = 0; k < 2000; ++k) {
    const Joints start{rng.Uniform(-0.5, 1.2), rng.Uniform(-1.5, 1.5)};
    Joints u = start;
    int steps = 0;
    while ((u[0] != 0 || u[1] != 0) && steps < 200) {
      const Joints next = chair.Brake({}, u);
      EXPECT_NEAR(next[0] * start[1], next[1] * start[0], 1e-12);
      EXPECT_LE(std::abs(next[0] - u[0]), 1.5 * 0.02 + 1e-12);
      EXPECT_LE(std::abs(next[1] - u[1]), 3.5 * 0.02 + 1e-12);
      u = next;
      ++steps;
    }
    EXPECT_LE(steps, std::ceil(1.0 / chair.BrakeShare(start) / 0.02 - 1e-9));
  }
}

TEST(WheelchairTest, StandingStillIsRest) {
  const Wheelchair chair(TestChair());
  Manoeuvre m;
  chair.Predict({}, {}, {}, &m);
  EXPECT_TRUE(m.at_rest);
  EXPECT_EQ(m.n, 1);
  EXPECT_EQ(m.stop_time_s, 0.0);
  RobotState rolling;
  rolling.qd[0] = 0.5;  // rolls although nothing told it to: not at rest, and a wide tube
  Manoeuvre slipping;
  chair.Predict(rolling, {}, {}, &slipping);
  EXPECT_FALSE(slipping.at_rest);
  EXPECT_GT(slipping.sample[0].reach_m[0], m.sample[0].reach_m[0] + 0.05);
}

TEST(WheelchairTest, NotANumberMakesEveryMarginNotANumber) {
  const Wheelchair chair(TestChair());
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const math::Capsule wall{{2, 0, 0}, {2, 0, 1}, 0.1};
  for (int which = 0; which < 4; ++which) {
    RobotState state;
    Joints previous{}, command{0.5, 0.1};
    if (which == 0) state.q[1] = nan;
    if (which == 1) state.qd[0] = nan;
    if (which == 2) previous[1] = nan;
    if (which == 3) command[0] = std::numeric_limits<double>::infinity();
    Manoeuvre m;
    chair.Predict(state, previous, command, &m);
    ASSERT_GE(m.n, 1);
    ASSERT_FALSE(m.at_rest);
    for (int i = 0; i < m.n; ++i)
      EXPECT_TRUE(
          std::isnan(chair.Clearance(m.sample[i].placement, {&wall, 1}, m.sample[i].reach_m, 1.0)))
          << which;
  }
  Placement here;
  chair.Place({}, &here);
  const math::Capsule lost{{nan, 0, 0}, {2, 0, 1}, 0.1};
  EXPECT_TRUE(std::isnan(chair.Clearance(here, {&lost, 1}, {}, 1.0)));
  EXPECT_EQ(chair.Brake({}, {nan, 0.1}), Joints{});
}

math::Capsule RandomObstacle(Random& rng) {
  const math::Vec3 a{rng.Uniform(-3, 3), rng.Uniform(-3, 3), 0};
  math::Vec3 b = a;
  if (rng.Chance(0.5)) b = b + math::Vec3{rng.Uniform(-1, 1), rng.Uniform(-1, 1), 0};
  b.z = 1.7;
  return {a, b, rng.Uniform(0, 0.3)};
}

TEST(WheelchairTest, ClearanceMatchesDenseSearch) {
  const Wheelchair chair(TestChair());
  Random rng(7);
  for (int k = 0; k < 3000; ++k) {
    std::array<math::Capsule, 5> obstacles;
    for (auto& o : obstacles) o = RandomObstacle(rng);
    Placement here;
    chair.Place({rng.Uniform(-1, 1), rng.Uniform(-1, 1), rng.Uniform(-3, 3)}, &here);
    const double reach[] = {rng.Uniform(0, 0.2)};
    double slow = 1e9;
    for (const auto& o : obstacles) {
      for (int i = 0; i <= 400; ++i) {
        const math::Vec3 p = o.a + (i / 400.0) * (o.b - o.a);
        const double dx = p.x - here.x, dy = p.y - here.y, c = std::cos(here.yaw),
                     s = std::sin(here.yaw);
        slow = std::min(
            slow,
            math::SignedDistance(chair.footprint(), c * dx + s * dy, c * dy - s * dx) - o.radius);
      }
    }
    const double fast = chair.Clearance(here, obstacles, reach, 1e9);
    EXPECT_LE(fast, slow - reach[0] + 1e-9);
    EXPECT_GE(fast, slow - reach[0] - 0.003);
    const double enough = rng.Uniform(0, 1);
    const double early = chair.Clearance(here, obstacles, reach, enough);
    if (fast <= enough) {
      EXPECT_EQ(early, fast);
    } else {
      EXPECT_GT(early, enough);
    }
  }
}

TEST(WheelchairTest, NearIsSortedAndItsGradientIsTheRateOfTheDistance) {
  const Wheelchair chair(TestChair());
  Random rng(8);
  int checked = 0;
  for (int k = 0; k < 2000; ++k) {
    std::array<math::Capsule, 12> obstacles;
    for (auto& o : obstacles) o = RandomObstacle(rng);
    RobotState state;
    state.q = {rng.Uniform(-1, 1), rng.Uniform(-1, 1), rng.Uniform(-3, 3)};
    Placement here;
    chair.Place(state.q, &here);
    std::array<Nearness, 6> near;
    const int n = chair.Near(state, here, obstacles, 2.0, near);
    const Joints u{rng.Uniform(-1, 1), rng.Uniform(-1, 1)};
    int within = 0;
    for (const auto& o : obstacles) within += chair.Clearance(here, {&o, 1}, {}, 1e9) <= 2.0;
    EXPECT_EQ(n, std::min(within, 6));
    for (int i = 0; i < n; ++i) {
      const math::Capsule* o = &obstacles[near[i].obstacle];
      EXPECT_NEAR(near[i].distance_m, chair.Clearance(here, {o, 1}, {}, 1e9), 1e-9);
      if (i > 0) {
        EXPECT_LE(near[i - 1].distance_m, near[i].distance_m);
      }
      const double h = 1e-6;
      Placement ahead, behind;
      chair.Place(Wheelchair::Arc(state.q, u, h), &ahead);
      chair.Place(Wheelchair::Arc(state.q, u, -h), &behind);
      const double rate =
          (chair.Clearance(ahead, {o, 1}, {}, 1e9) - chair.Clearance(behind, {o, 1}, {}, 1e9)) /
          (2 * h);
      const double told = near[i].gradient[0] * u[0] + near[i].gradient[1] * u[1];
      // At an edge of the Voronoi regions the distance has a kink: only inside overlaps and on
      // parallel faces.
      if (near[i].distance_m + o->radius > 0.01 && std::abs(rate - told) < 0.2) {
        EXPECT_NEAR(rate, told, 2e-3);
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 5000);
}

TEST(WheelchairTest, CreateNamesTheFieldThatIsWrong) {
  EXPECT_TRUE(Wheelchair::Create(TestChair()).ok());
  WheelchairConfig bad = TestChair();
  bad.limits.brake[1] = 0;
  EXPECT_NE(Wheelchair::Create(bad).status().message().find("limits.brake"), std::string::npos);
  bad = TestChair();
  bad.footprint.front = -1;
  EXPECT_NE(Wheelchair::Create(bad).status().message().find("footprint"), std::string::npos);
  bad = TestChair();
  bad.period_s = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NE(Wheelchair::Create(bad).status().message().find("period_s"), std::string::npos);
}

}  // namespace
}  // namespace saferl::robot
