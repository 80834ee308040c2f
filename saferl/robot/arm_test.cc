#include "saferl/robot/arm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "saferl/base/random.h"
#include "saferl/robot/capsule_query.h"
#include "saferl/robot/tube_check.h"

namespace saferl::robot {
namespace {

std::shared_ptr<const Arm> Arm7() {
  static const std::shared_ptr<const Arm> arm = [] {
    const auto loaded = LoadRobot("arm7");
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return std::dynamic_pointer_cast<const Arm>(*loaded);
  }();
  return arm;
}

Joints RandomQ(const Arm& arm, Random& rng) {
  Joints q{};
  for (int i = 0; i < arm.n(); ++i)
    q[i] = rng.Uniform(arm.limits().q_lower[i], arm.limits().q_upper[i]);
  return q;
}

math::Capsule RandomCapsule(Random& rng, double spread) {
  const auto point = [&] {
    return math::Vec3{rng.Uniform(-spread, spread), rng.Uniform(-spread, spread),
                      rng.Uniform(0, spread)};
  };
  const math::Vec3 a = point();
  return {a, rng.Chance(0.3) ? a : a + 0.3 * point(), rng.Uniform(0.02, 0.15)};
}

TEST(ArmTest, StraightUpAtZeroAndReachAsStated) {
  const auto arm = Arm7();
  ArmPose pose;
  arm->ForwardKinematics({}, &pose);
  const math::Vec3 tool = arm->Tool(pose).p;
  EXPECT_NEAR(tool.x, 0, 1e-12);
  EXPECT_NEAR(tool.y, 0, 1e-12);
  EXPECT_NEAR(tool.z, 0.34 + 0.85, 1e-12);
  // Shoulder pitched by 90 degrees: stretched out forward along x.
  arm->ForwardKinematics({0, 1.5707963267948966}, &pose);
  EXPECT_NEAR(arm->Tool(pose).p.x, 0.85, 1e-12);
  EXPECT_NEAR(arm->Tool(pose).p.z, 0.34, 1e-12);
}

TEST(ArmTest, JacobianMatchesFiniteDifferences) {
  const auto arm = Arm7();
  Random rng(1);
  for (int trial = 0; trial < 500; ++trial) {
    const Joints q = RandomQ(*arm, rng);
    ArmPose pose;
    arm->ForwardKinematics(q, &pose);
    for (int joint = 0; joint < arm->n(); ++joint) {
      const math::Vec3 p_J{rng.Uniform(-0.2, 0.2), rng.Uniform(-0.2, 0.2), rng.Uniform(-0.2, 0.2)};
      std::array<math::Vec3, kMaxDof> columns;
      arm->Jacobian(pose, joint, pose.x_WJ[joint] * p_J, columns);
      for (int j = 0; j < arm->n(); ++j) {
        const double h = 1e-6;
        Joints ahead = q, behind = q;
        ahead[j] += h;
        behind[j] -= h;
        ArmPose a, b;
        arm->ForwardKinematics(ahead, &a);
        arm->ForwardKinematics(behind, &b);
        const math::Vec3 slope = (0.5 / h) * (a.x_WJ[joint] * p_J - b.x_WJ[joint] * p_J);
        EXPECT_LT(math::Norm(slope - columns[j]), 1e-8);
      }
    }
  }
}

TEST(ArmTest, LeverBoundsTheDistanceFromEveryAxis) {
  const auto arm = Arm7();
  Random rng(2);
  double tightest = 1e9;
  for (int trial = 0; trial < 20000; ++trial) {
    const Joints q = RandomQ(*arm, rng);
    ArmPose pose;
    arm->ForwardKinematics(q, &pose);
    Placement place;
    arm->PlaceLinks(pose, &place);
    for (int k = 0; k < arm->n_links(); ++k) {
      for (int j = 0; j < arm->n(); ++j) {
        if (arm->config().links[k].joint < j) {
          EXPECT_EQ(arm->Lever(k, j), 0.0);
          continue;
        }
        const math::Vec3 axis = pose.x_WJ[j].r * math::Vec3{0, 0, 1};
        for (const math::Vec3 end : {place.link_W[k].a, place.link_W[k].b}) {
          const double distance =
              math::Norm(math::Cross(axis, end - pose.x_WJ[j].p)) + place.link_W[k].radius;
          EXPECT_LE(distance, arm->Lever(k, j) + 1e-12);
          tightest = std::min(tightest, arm->Lever(k, j) - distance);
        }
      }
    }
  }
  EXPECT_LT(tightest, 0.01);  // not just any large number
}

TEST(ArmTest, ClearanceMatchesAllPairs) {
  const auto arm = Arm7();
  Random rng(3);
  for (int trial = 0; trial < 20000; ++trial) {
    Placement place;
    arm->Place(RandomQ(*arm, rng), &place);
    std::array<math::Capsule, 16> obstacles;
    for (auto& o : obstacles) o = RandomCapsule(rng, trial % 2 ? 1.0 : 4.0);
    std::array<double, kMaxLinks> reach{};
    for (auto& r : reach) r = rng.Uniform(0, 0.1);
    double exact = std::numeric_limits<double>::infinity();
    for (int k = 0; k < place.n_links; ++k)
      for (const auto& o : obstacles)
        exact = std::min(exact, math::CapsuleDistance(place.link_W[k], o) - reach[k]);
    EXPECT_EQ(arm->Clearance(place, obstacles, reach, 1e9), exact);
    const double enough = rng.Uniform(-0.2, 1);
    const double early = arm->Clearance(place, obstacles, reach, enough);
    if (exact <= enough) {
      EXPECT_EQ(early, exact);
    } else {
      EXPECT_GT(early, enough);
    }
  }
}

TEST(ArmTest, NearIsCompleteSortedAndItsGradientIsTheRateOfTheDistance) {
  const auto arm = Arm7();
  Random rng(4);
  int checked = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    RobotState state;
    state.q = RandomQ(*arm, rng);
    Placement place;
    arm->Place(state.q, &place);
    std::array<math::Capsule, 6> obstacles;
    for (auto& o : obstacles) o = RandomCapsule(rng, 1.2);
    std::array<Nearness, 8> near;
    const double horizon = 0.5;
    const int n = arm->Near(state, place, obstacles, horizon, near);
    std::vector<double> all;
    for (int k = 0; k < place.n_links; ++k)
      for (const auto& o : obstacles) all.push_back(math::CapsuleDistance(place.link_W[k], o));
    std::sort(all.begin(), all.end());
    const auto within =
        static_cast<int>(std::upper_bound(all.begin(), all.end(), horizon) - all.begin());
    ASSERT_EQ(n, std::min(within, 8));
    Joints u{};
    for (int j = 0; j < arm->n(); ++j) u[j] = rng.Uniform(-1, 1);
    for (int i = 0; i < n; ++i) {
      EXPECT_EQ(near[i].distance_m, all[i]);
      const auto& o = obstacles[near[i].obstacle];
      const double h = 1e-6;
      Joints ahead = state.q, behind = state.q;
      double told = 0;
      for (int j = 0; j < arm->n(); ++j) {
        ahead[j] += h * u[j];
        behind[j] -= h * u[j];
        told += near[i].gradient[j] * u[j];
      }
      Placement a, b;
      arm->Place(ahead, &a);
      arm->Place(behind, &b);
      const double gap_a = math::CapsuleDistance(a.link_W[near[i].link], o),
                   gap_b = math::CapsuleDistance(b.link_W[near[i].link], o);
      const double axis_gap = near[i].distance_m + o.radius + place.link_W[near[i].link].radius;
      // One-sided slopes agree away from kinks (crossing or parallel axes).
      const double forward = (gap_a - near[i].distance_m) / h,
                   backward = (near[i].distance_m - gap_b) / h;
      if (axis_gap < 0.02 || std::abs(forward - backward) > 1e-3) continue;
      EXPECT_NEAR(0.5 * (forward + backward), told, 1e-3);
      ++checked;
    }
  }
  EXPECT_GT(checked, 3000);
}

TEST(ArmTest, TubesContainEveryArmWithinItsUncertainty) {
  const auto arm = Arm7();
  const TubeHunt found =
      HuntTubes(*arm, {.cases = 100000, .seed = 21, .step_s = 0.002, .check_every = 4});
  EXPECT_EQ(found.escapes, 0) << "worst " << found.worst;
}

TEST(ArmTest, EachTermOfTheTubeIsNeeded) {
  struct Term {
    const char* name;
    void (*set)(ArmConfig&, double);
    double value;
  };
  const Term terms[] = {
      {"reaction_s", [](ArmConfig& c, double x) { c.reaction_s = x; }, 0.05},
      {"state_age_s", [](ArmConfig& c, double x) { c.state_age_s = x; }, 0.05},
      {"q_error", [](ArmConfig& c, double x) { c.q_error.fill(x); }, 0.01},
      {"tracking_error", [](ArmConfig& c, double x) { c.tracking_error.fill(x); }, 0.1},
      {"brake",
       [](ArmConfig& c, double x) {
         for (double& b : c.limits.brake) b *= x;
       },
       1.0},
  };
  for (const Term& term : terms) {
    ArmConfig bare = Arm7()->config();
    bare.q_error = bare.qd_error = bare.tracking_error = {};
    bare.reaction_s = bare.state_age_s = 0;
    ArmConfig truth = bare, small = bare;
    term.set(truth, term.value);
    term.set(small, (std::string_view(term.name) == "brake" ? 1.0 / 0.9 : 0.9) * term.value);
    EXPECT_EQ(HuntTubes(Arm(truth), truth, {.cases = 500, .seed = 5, .step_s = 0.0005}).escapes, 0)
        << term.name;
    EXPECT_GT(HuntTubes(Arm(small), truth,
                        {.cases = 20000, .seed = 6, .step_s = 0.0005, .stop_at_first = true})
                  .escapes,
              0)
        << term.name;
  }
}

TEST(ArmTest, BrakingKeepsTheDirectionAndIsRated) {
  const auto arm = Arm7();
  Random rng(6);
  for (int trial = 0; trial < 1000; ++trial) {
    Joints u{};
    for (int j = 0; j < arm->n(); ++j)
      u[j] = rng.Uniform(arm->limits().command_lower[j], arm->limits().command_upper[j]);
    const Joints start = u;
    for (int step = 0; step < 2000 && u != Joints{}; ++step) {
      const Joints next = arm->Brake({}, u);
      for (int j = 0; j < arm->n(); ++j) {
        EXPECT_LE(std::abs(next[j] - u[j]), arm->limits().brake[j] * arm->period_s() + 1e-12);
        EXPECT_NEAR(next[j] * start[0], next[0] * start[j], 1e-9);
      }
      u = next;
    }
    EXPECT_EQ(u, Joints{});
  }
}

TEST(ArmTest, NotANumberMakesEveryMarginNotANumber) {
  const auto arm = Arm7();
  const math::Capsule wall{{2, 0, 0}, {2, 0, 1}, 0.1};
  for (int which = 0; which < 4; ++which) {
    RobotState state;
    Joints previous{}, command{0.5, 0.1};
    const double nan = std::numeric_limits<double>::quiet_NaN();
    if (which == 0) state.q[6] = nan;
    if (which == 1) state.qd[3] = nan;
    if (which == 2) previous[1] = std::numeric_limits<double>::infinity();
    if (which == 3) command[0] = nan;
    Manoeuvre m;
    arm->Predict(state, previous, command, &m);
    ASSERT_GE(m.n, 1);
    ASSERT_FALSE(m.at_rest);
    for (int i = 0; i < m.n; ++i)
      EXPECT_TRUE(std::isnan(arm->Clearance(m.sample[i].placement, {&wall, 1}, {}, 1.0))) << which;
    EXPECT_EQ(arm->Brake({}, {nan}), Joints{});
  }
  Placement here;
  arm->Place({}, &here);
  math::Capsule lost = wall;
  lost.a.y = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(arm->Clearance(here, {&lost, 1}, {}, 1.0)));
}

TEST(ArmTest, RestIsRest) {
  const auto arm = Arm7();
  Manoeuvre m;
  RobotState state;
  arm->Predict(state, {}, {}, &m);
  EXPECT_TRUE(m.at_rest);
  EXPECT_EQ(m.stop_time_s, 0);
  state.qd[2] = 0.2;
  arm->Predict(state, {}, {}, &m);
  EXPECT_FALSE(m.at_rest);
  EXPECT_GT(m.stop_time_s, 0);
}

TEST(ArmTest, CreateNamesWhatCannotWork) {
  const auto message = [](auto&& change) {
    ArmConfig c = Arm7()->config();
    change(c);
    const auto made = Arm::Create(c);
    EXPECT_FALSE(made.ok());
    return std::string(made.status().message());
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(message([](auto& c) { c.joints.clear(); }), HasSubstr("joints"));
  EXPECT_THAT(message([](auto& c) { c.links.resize(kMaxLinks + 1); }), HasSubstr("links"));
  EXPECT_THAT(message([](auto& c) { c.period_s = 0; }), HasSubstr("period_s"));
  EXPECT_THAT(message([](auto& c) { c.reaction_s = -1; }), HasSubstr("reaction_s"));
  EXPECT_THAT(message([](auto& c) { c.state_age_s = -1; }), HasSubstr("state_age_s"));
  EXPECT_THAT(message([](auto& c) { c.limits.q_lower[2] = 9; }), HasSubstr("joint 'joint3'"));
  EXPECT_THAT(message([](auto& c) { c.limits.command_upper[1] = 0; }), HasSubstr("standstill"));
  EXPECT_THAT(message([](auto& c) { c.limits.command_rate[0] = 0; }),
              HasSubstr("joint_rate_rad_s2"));
  EXPECT_THAT(message([](auto& c) { c.limits.brake[6] = 0; }), HasSubstr("joint_brake_rad_s2"));
  EXPECT_THAT(message([](auto& c) { c.tracking_error[0] = -1; }), HasSubstr("uncertainties"));
  EXPECT_THAT(message([](auto& c) { c.home[3] = 9; }), HasSubstr("home_rad"));
  EXPECT_THAT(message([](auto& c) { c.links[1].joint = 7; }), HasSubstr("link 'link1'"));
  EXPECT_THAT(message([](auto& c) { c.links[1].capsule.radius = 0; }), HasSubstr("radius_m"));
  EXPECT_THAT(
      message([](auto& c) { c.links[1].capsule.a.x = std::numeric_limits<double>::infinity(); }),
      HasSubstr("finite"));
}

}  // namespace
}  // namespace saferl::robot
