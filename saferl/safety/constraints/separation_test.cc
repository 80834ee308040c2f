#include "saferl/safety/constraints/separation.h"

#include <gtest/gtest.h>

#include "saferl/base/random.h"
#include "saferl/safety/certificate.h"
#include "saferl/safety/constraints/constraints.h"
#include "saferl/safety/testing/point_robot.h"

namespace saferl::safety {
namespace {

using testing::PointOptions;
using testing::PointRobot;

constexpr SeparationInput kGolden = {1.6, 1.0, 0.1, 0.3, 0.2, 0.1, 0.05};

TEST(Separation, GoldenCaseOfTheStandard) {
  EXPECT_NEAR(ProtectiveSeparation_m(kGolden), 1.24, 1e-12);
  SeparationInput slower = kGolden;
  slower.robot_speed_m_s = 0.5;
  EXPECT_NEAR(ProtectiveSeparation_m(slower), 1.115, 1e-12);
  slower.robot_speed_m_s = 0;
  EXPECT_NEAR(ProtectiveSeparation_m(slower), 0.99, 1e-12);
}

TEST(Separation, GrowsWithReactionByBothSpeeds) {
  SeparationInput later = kGolden;
  later.reaction_s += 1e-3;
  EXPECT_NEAR((ProtectiveSeparation_m(later) - ProtectiveSeparation_m(kGolden)) / 1e-3, 2.6, 1e-9);
}

/// Margin of the separation proof for a ball at the origin moving at v toward a ball `gap` metres
/// away.
double ProofMargin(const PointRobot& robot, const HumanModel& human, double v, double gap) {
  SafetyModel model;
  model.human = human;
  Situation s;
  robot::Observation o;
  o.robot.qd[0] = v;
  s.robot = &robot;
  s.observation = &o;
  s.human = &human;
  s.n_people = 1;
  const double x = gap + 0.2 + 0.3;  // radii of robot and person
  s.part_W[0] = {{x, 0, 0}, {x, 0, 0}, 0.3};
  s.part_speed_m_s[0] = human.body_speed_m_s;
  s.part_grown_m[0] = human.error_m;
  robot::Joints u{};
  u[0] = v;
  robot::Manoeuvre m;
  robot.Predict(o.robot, u, u, &m);
  return MakeSeparation({}, 0)->Margin(s, m);
}

// In one dimension the sweep ends at S_r + S_s + Z_r and the part has grown by S_h + Z_d + C:
// margin = gap - S_p.
TEST(Separation, ProofIsEquivalentToSpInOneDimension) {
  Random random(3);
  for (int trial = 0; trial < 2000; ++trial) {
    PointOptions options;
    options.reaction_s = random.Uniform(0.02, 0.3);
    options.brake_m_s2 = random.Uniform(0.5, 5);
    options.error_m = random.Uniform(0, 0.1);
    const PointRobot robot(options);
    const HumanModel human = {random.Uniform(0.5, 2.5), 2.0, random.Uniform(0.01, 0.2),
                              random.Uniform(0, 0.3)};
    const double v = random.Uniform(0.05, 1.5);
    const SeparationInput in = {human.body_speed_m_s, v,
                                robot.hold_s(),       v / options.brake_m_s2,
                                human.intrusion_m,    human.error_m,
                                options.error_m};
    const double needed = ProtectiveSeparation_m(in);
    const double off = random.Uniform(-0.3, 0.3);
    EXPECT_NEAR(ProofMargin(robot, human, v, needed + off), off, 1e-9);
  }
}

TEST(Separation, RestIsExempt) {
  const PointRobot robot({});
  EXPECT_GT(ProofMargin(robot, {}, 0.0, -0.1), 1e6);
}

TEST(Separation, BrakingEarlierOrHarderStaysProved) {
  // Whatever rate the robot has while it covers the proved sweep, as long as it rests by stop_time.
  Random random(5);
  for (int trial = 0; trial < 2000; ++trial) {
    const PointRobot robot({});
    const HumanModel human;
    const double v = random.Uniform(0.1, 1.5), gap = random.Uniform(0.2, 3);
    if (!(ProofMargin(robot, human, v, gap) >= 0)) continue;
    // The robot brakes from t0 <= hold at a factor >= 1; the person walks straight at it from
    // epsilon nearer.
    const double t0 = random.Uniform(0, robot.hold_s()), brake = 2.0 * random.Uniform(1, 4);
    double least = 1e9;
    for (double t = 0; t <= t0 + v / brake; t += 1e-3) {
      const double b = std::max(0.0, t - t0);
      const double x = v * t - 0.5 * brake * b * b;
      least = std::min(least, gap - human.error_m - human.body_speed_m_s * t - x);
    }
    EXPECT_GE(least, -1e-9);
  }
}

TEST(Separation, NanIsNotProved) {
  const PointRobot robot({});
  EXPECT_TRUE(std::isnan(ProofMargin(robot, {}, 1.0, std::nan(""))));
}

}  // namespace
}  // namespace saferl::safety
