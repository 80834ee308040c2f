#include "saferl/safety/constraints/constraints.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

#include "saferl/base/data_path.h"
#include "saferl/base/file.h"
#include "saferl/robot/exoskeleton.h"
#include "saferl/robot/wheelchair.h"
#include "saferl/safety/constraints/contact.h"
#include "saferl/safety/constraints/rows.h"
#include "saferl/safety/testing/point_robot.h"

namespace saferl::safety {
namespace {

using testing::PointOptions;
using testing::PointRobot;

/// A 2-D point robot in a situation that tests can bend.
struct Bench {
  explicit Bench(const PointOptions& options = {.n = 2}) : robot(options) {
    s.robot = &robot;
    s.observation = &observation;
    s.human = &human;
    s.static_reach_m = 100;
  }
  robot::Manoeuvre Predict(double vx, double vy) {
    s.candidate = {vx, vy};
    s.wanted = s.candidate;
    robot.Place(observation.robot.q, &s.placement);
    robot::Manoeuvre m;
    robot.Predict(observation.robot, s.previous, s.candidate, &m);
    return m;
  }
  PointRobot robot;
  robot::Observation observation;
  HumanModel human;
  Situation s;
};

TEST(Rows, ApproachSpeedStopsWithinTheDistance) {
  for (double d : {0.01, 0.1, 0.5, 2.0}) {
    const double v = ApproachSpeed(d, 1.5, 0.1);
    EXPECT_NEAR(v * 0.1 + v * v / 3.0, d, 1e-12);
    const double w = ApproachSpeed(d + 1, 1.5, 0.1, 1.6);
    EXPECT_NEAR(w * 0.1 + w * w / 3.0 + 1.6 * (0.1 + w / 1.5), d + 1, 1e-12);
  }
  EXPECT_EQ(ApproachSpeed(-1, 1.5, 0.1), 0);
  EXPECT_EQ(ApproachSpeed(0.1, 1.5, 0.1, 1.6), 0);
}

TEST(Rows, MinimumKeepsNan) {
  EXPECT_TRUE(std::isnan(MinOrNan(std::nan(""), 1)));
  EXPECT_TRUE(std::isnan(MinOrNan(1, std::nan(""))));
  EXPECT_EQ(MinOrNan(2, 1), 1);
}

TEST(JointPosition, MarginIsTheRoomLeftAtRest) {
  Bench b({.n = 1});
  b.robot.mutable_limits().q_upper[0] = 1.0;
  const robot::Manoeuvre m = b.Predict(0.8, 0);
  const double reach = 0.8 * b.robot.hold_s() + 0.8 * 0.8 / 4.0;
  EXPECT_NEAR(MakeJointPosition()->Margin(b.s, m), 1.0 - reach, 1e-9);
  RowSet rows;
  b.observation.robot.q[0] = 0.95;
  MakeJointPosition()->AddRows(b.s, &rows);
  ASSERT_EQ(rows.n, 1);
  EXPECT_GT(rows.a[0][0], 0);
  EXPECT_LT(rows.b[0], ApproachSpeed(0.05, 2.0, b.robot.hold_s()));
}

TEST(JointVelocity, MarginCountsTheTube) {
  Bench b({.n = 1});
  robot::Manoeuvre m = b.Predict(1.0, 0);
  m.sample[0].qd_tube[0] = 0.25;
  EXPECT_NEAR(MakeJointVelocity()->Margin(b.s, m), 3.0 - 1.25, 1e-12);
}

TEST(Acceleration, RateOrBrakingButNothingElse) {
  Bench b({.n = 1});
  b.s.previous[0] = 1.0;
  b.s.brake = b.robot.Brake({}, b.s.previous);
  const auto acceleration = MakeAcceleration();
  const double step = 1.5 * 0.02;
  EXPECT_GE(acceleration->Margin(b.s, b.Predict(1.0 + step, 0)), 0);
  EXPECT_LT(acceleration->Margin(b.s, b.Predict(1.0 + step + 1e-6, 0)), 0);
  EXPECT_GE(acceleration->Margin(b.s, b.Predict(b.s.brake[0], 0)),
            0);  // harder than the rate allows
  EXPECT_LT(b.s.brake[0], 1.0 - step);
  EXPECT_LT(acceleration->Margin(b.s, b.Predict(b.s.brake[0] - 1e-6, 0)), 0);
}

TEST(Torque, MarginIsTheLargestEffort) {
  Bench b({.n = 1});
  robot::Manoeuvre m = b.Predict(1.0, 0);
  m.sample[3].effort[0] = -90;
  EXPECT_NEAR(MakeTorque()->Margin(b.s, m), 10, 1e-12);
}

TEST(Power, MarginIsTorqueTimesRate) {
  Bench b({.n = 1});
  robot::Manoeuvre m = b.Predict(1.0, 0);
  m.sample[3].effort[0] = 50;
  m.sample[3].qd_tube[0] = 1.0;
  EXPECT_NEAR(MakePower()->Margin(b.s, m), 1000 - 50 * 2, 1e-9);
}

TEST(Workspace, EveryPointOfEveryLinkStaysInside) {
  Bench b;
  const auto workspace = MakeWorkspace({{{1, 0, 0}, 0.9}});
  const double reach = 0.8 * b.robot.hold_s() + 0.8 * 0.8 / 4.0;
  EXPECT_NEAR(workspace->Margin(b.s, b.Predict(0.8, 0)), 0.9 - 0.2 - reach, 1e-9);
  EXPECT_GT(workspace->Margin(b.s, b.Predict(0, 0)), 1e6);
  b.observation.robot.q[0] = 0.6;
  b.Predict(0.8, 0);
  RowSet rows;
  workspace->AddRows(b.s, &rows);
  ASSERT_EQ(rows.n, 1);
  EXPECT_NEAR(rows.a[0][0], 1, 1e-6);
}

TEST(KeepOut, StopsBeforeAStaticShapeAndKeepsToTheKnownDisc) {
  Bench b;
  b.s.n_static = 1;
  b.s.static_W[0] = {{1, 0, 0}, {1, 0, 1}, 0.1};
  const auto keep_out = MakeKeepOut(0.02);
  const double reach = 0.8 * b.robot.hold_s() + 0.8 * 0.8 / 4.0;
  EXPECT_NEAR(keep_out->Margin(b.s, b.Predict(0.8, 0)), 1 - 0.1 - 0.2 - reach, 1e-9);
  b.s.static_reach_m = 0.3;  // nothing is known beyond
  EXPECT_LT(keep_out->Margin(b.s, b.Predict(0.8, 0)), 0);
  EXPECT_GT(keep_out->Margin(b.s, b.Predict(0, 0)), 1e6);
}

TEST(Contact, NearAHandNoLinkIsFasterThanItsLimit) {
  Bench b;
  RegionFlags by_contact{};
  std::array<double, kNumRegions> limit{};
  by_contact[static_cast<size_t>(robot::Region::kHand)] = true;
  limit[static_cast<size_t>(robot::Region::kHand)] = 0.5;
  const auto contact = MakeContact(by_contact, limit);
  b.s.n_people = 1;
  b.s.part_region[0] = robot::Region::kHand;
  b.s.part_W[0] = {{0.5, 0, 0}, {0.5, 0, 0}, 0.05};
  b.s.part_speed_m_s[0] = 2;
  EXPECT_NEAR(contact->Margin(b.s, b.Predict(0.8, 0)), -0.3, 1e-9);
  EXPECT_NEAR(contact->Margin(b.s, b.Predict(0.4, 0)), 0.1, 1e-9);
  b.s.part_W[0] = {{9, 0, 0}, {9, 0, 0}, 0.05};
  EXPECT_GT(contact->Margin(b.s, b.Predict(0.8, 0)), 0);
  b.s.part_region[0] = robot::Region::kChest;  // separation's business
  b.s.part_W[0] = {{0.5, 0, 0}, {0.5, 0, 0}, 0.05};
  EXPECT_GT(contact->Margin(b.s, b.Predict(0.8, 0)), 0);
  EXPECT_LT(MakeSeparation(by_contact, 0)->Margin(b.s, b.Predict(0.8, 0)), 0);
  b.s.part_region[0] = robot::Region::kHand;
  EXPECT_GT(MakeSeparation(by_contact, 0)->Margin(b.s, b.Predict(0.8, 0)), 0);
}

TEST(ContactTable, SpeedLimitFollowsTheFormula) {
  const ContactRegion chest = {140, 2, 25'000, 40, false};
  const double mu = 1 / (1 / 40.0 + 1 / 10.0);
  EXPECT_NEAR(ContactSpeedLimit(chest, 10), 280 / std::sqrt(mu * 25'000), 1e-12);
  EXPECT_EQ(ContactSpeedLimit({65, 0, 75'000, 4.4, false}, 10), 0);
}

TEST(ContactTable, TheShippedTableIsCompleteUnverifiedAndNeverTouchesTheHead) {
  const auto path = FindData("standards/iso_ts_15066_contact.yaml");
  ASSERT_TRUE(path.ok());
  const auto table = LoadContactTable(*path);
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_FALSE(table->source.empty());
  for (robot::Region r : {robot::Region::kSkull, robot::Region::kFace, robot::Region::kNeck,
                          robot::Region::kPedestrian}) {
    EXPECT_EQ(ContactSpeedLimit(table->region[static_cast<size_t>(r)], 10), 0);
  }
  for (const ContactRegion& region : table->region) EXPECT_FALSE(region.verified);
  EXPECT_GT(ContactSpeedLimit(table->region[static_cast<size_t>(robot::Region::kHand)], 10), 0.5);
}

TEST(ContactTable, RefusesATouchableFaceAndAMissingRegion) {
  const auto path = FindData("standards/iso_ts_15066_contact.yaml");
  ASSERT_TRUE(path.ok());
  std::string text = *ReadFile(*path);
  const std::string face = "{name: face,        force_n: 65,  transient_factor: 0";
  ASSERT_NE(text.find(face), std::string::npos);
  const std::string bad = std::string(SAFERL_BINARY_DIR) + "/contact_table_test.yaml";
  std::string touched = text;
  touched.replace(touched.find(face), face.size(), "{name: face, force_n: 65, transient_factor: 1");
  ASSERT_TRUE(WriteFileAtomic(bad, touched).ok());
  EXPECT_NE(LoadContactTable(bad).status().message().find("face"), std::string::npos);
  std::string missing = text.substr(0, text.find("  - {name: lower_leg"));
  ASSERT_TRUE(WriteFileAtomic(bad, missing).ok());
  EXPECT_NE(LoadContactTable(bad).status().message().find("lower_leg"), std::string::npos);
}

TEST(TipOver, LateralAccelerationStaysInsideTheSupport) {
  const auto robot = robot::LoadRobot("wheelchair");
  ASSERT_TRUE(robot.ok()) << robot.status();
  const TipOverModel model = {0.5, 0.4, 0.3, 0.25, 0.0, 1.2};
  const auto tip = MakeTipOver(model);
  Situation s;
  robot::Observation o;
  s.robot = robot->get();
  s.observation = &o;
  s.base_radius_m = 0.7;
  robot::Manoeuvre m;
  m.n = 1;
  m.sample[0].qd = {2.0, 2.0};
  const double shift = 0.5 * 4.0 / 9.80665;
  EXPECT_NEAR(tip->Margin(s, m), 0.25 - shift, 1e-9);
  m.sample[0].qd_tube = {0.5, 0.5};
  EXPECT_LT(tip->Margin(s, m), 0);
  s.wanted = {2.0, 2.6};
  RowSet rows;
  tip->AddRows(s, &rows);
  ASSERT_EQ(rows.n, 1);
  EXPECT_GT(rows.a[0][0] * 2.0 + rows.a[0][1] * 2.6, rows.b[0]);
}

TEST(TipOver, HardBrakingMustNotPitchTheChair) {
  const auto robot = robot::LoadRobot("wheelchair");
  ASSERT_TRUE(robot.ok());
  Situation s;
  s.robot = robot->get();
  s.candidate = {1.0, 0};
  robot::Manoeuvre m;
  m.n = 1;
  m.sample[0].qd = {1.0, 0};
  EXPECT_GT(MakeTipOver({0.5, 0.4, 0.3, 0.25, 0.0, 1.2})->Margin(s, m), 0);
  EXPECT_LT(MakeTipOver({2.5, 0.4, 0.3, 0.25, 0.0, 1.2})->Margin(s, m), 0);
}

TEST(InteractionForce, LimitsWhatIsAddedToGravity) {
  const auto robot = robot::LoadRobot("exoskeleton");
  ASSERT_TRUE(robot.ok()) << robot.status();
  const auto& exo = static_cast<const robot::Exoskeleton&>(**robot);
  Situation s;
  robot::Observation o;
  o.robot.q = {0.4, 0.6, 0.2, 0.5};
  s.robot = &exo;
  s.observation = &o;
  s.brake = exo.Brake(o.robot, {});
  const robot::Joints gravity = exo.Gravity(o.robot.q);
  const auto limit = MakeInteractionForce({60, 25, 60, 25});
  robot::Manoeuvre m;
  s.candidate = gravity;
  EXPECT_NEAR(limit->Margin(s, m), 25, 1e-9);
  s.candidate[0] += 59;
  EXPECT_NEAR(limit->Margin(s, m), 1, 1e-9);
  s.candidate[0] += 2;
  EXPECT_LT(limit->Margin(s, m), 0);
  RowSet rows;
  limit->AddRows(s, &rows);
  EXPECT_EQ(rows.n, 8);
  s.candidate = s.brake = {200, 80, 0, 0};  // a stop may push harder
  s.candidate[2] = gravity[2];
  s.candidate[3] = gravity[3];
  EXPECT_GE(limit->Margin(s, m), 0);
}

TEST(Constraint, WhatDoesNotApplyHasNoRowsAndNoBound) {
  Bench arm;  // an arm: no tip-over, no interaction force
  const robot::Manoeuvre m = arm.Predict(1, 0);
  for (const ConstraintPtr& c : {MakeTipOver({}), MakeInteractionForce({})}) {
    RowSet rows;
    c->AddRows(arm.s, &rows);
    EXPECT_EQ(rows.n, 0) << Name(c->id());
    EXPECT_TRUE(std::isinf(c->Margin(arm.s, m))) << Name(c->id());
  }
}

TEST(Constraint, EveryIdHasAName) {
  std::set<std::string_view> names;
  for (int i = 0; i < kNumConstraints; ++i) names.insert(Name(static_cast<ConstraintId>(i)));
  EXPECT_EQ(names.size(), static_cast<size_t>(kNumConstraints));
  EXPECT_EQ(Name(ConstraintId::kCount), "unknown");
}

}  // namespace
}  // namespace saferl::safety
