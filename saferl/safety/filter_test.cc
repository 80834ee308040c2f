#include "saferl/safety/filter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "saferl/base/random.h"
#include "saferl/safety/certificate.h"
#include "saferl/safety/constraints/constraints.h"
#include "saferl/safety/testing/point_robot.h"

namespace saferl::safety {
namespace {

using testing::PointOptions;
using testing::PointRobot;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// A 2-D point robot at rest at the origin with a filter of its own.
struct Rig {
  explicit Rig(const PointOptions& options = {.n = 2})
      : robot(std::make_shared<PointRobot>(options)) {
    model.robot = robot;
    model.weight.fill(1);
    model.proof = {MakeAcceleration(), MakeSeparation({}, 0.02), MakeKeepOut(0.02),
                   MakeJointPosition()};
    model.steering = model.proof;
    model.human.error_m = 0.05;
  }
  FilterResult Step(robot::Joints wanted, Mode mode = Mode::kNominal) {
    now += 20'000'000;
    observation.robot.stamp_ns = observation.people_stamp_ns = now + stamp_offset_ns;
    for (int i = 0; i < std::min(observation.n_parts, robot::kMaxParts); ++i) {
      observation.parts[i].stamp_ns = now;
    }
    const FilterResult r = Filter(model, observation, now, wanted, mode, &data);
    Commit(r.command, &data);
    for (int i = 0; i < robot->n(); ++i) {
      observation.robot.q[i] += 0.02 * r.command[i];
      observation.robot.qd[i] = r.command[i];
    }
    return r;
  }
  void AddPerson(double x, double y) {
    robot::HumanPart& part = observation.parts[observation.n_parts++];
    part.capsule_W = {{x, y, 0}, {x, y, 0}, 0.25};
  }
  double GapTo(double x, double y) const {
    return std::hypot(x - observation.robot.q[0], y - observation.robot.q[1]) - 0.45;
  }
  std::shared_ptr<PointRobot> robot;
  SafetyModel model;
  FilterData data;
  robot::Observation observation;
  int64_t now = 0, stamp_offset_ns = 0;
};

TEST(Filter, ASafeWishLeavesBitForBit) {
  Rig rig;
  Random random(1);
  for (int i = 0; i < 500; ++i) {
    robot::Joints wanted{};
    for (int k = 0; k < 2; ++k) wanted[k] = rig.data.previous[k] + random.Uniform(-0.029, 0.029);
    const FilterResult r = rig.Step(wanted);
    ASSERT_EQ(r.command[0], wanted[0]);
    ASSERT_EQ(r.command[1], wanted[1]);
    ASSERT_FALSE(r.intervened);
    ASSERT_EQ(r.proof, Proof::kFresh);
  }
}

TEST(Filter, ApproachesAPersonAndRestsBefore) {
  Rig rig;
  rig.AddPerson(2.5, 0);
  double fastest = 0;
  for (int i = 0; i < 400; ++i) {
    const FilterResult r = rig.Step({1.5, 0});
    fastest = std::max(fastest, r.command[0]);
    ASSERT_NE(r.proof, Proof::kNone);
  }
  EXPECT_GT(fastest, 0.3);
  EXPECT_LT(std::abs(rig.data.previous[0]), 0.05);
  // Near S_p at rest: epsilon + v_h hold, and not much more.
  const double rest = 0.05 + 1.6 * rig.robot->hold_s();
  EXPECT_GT(rig.GapTo(2.5, 0), rest - 1e-6);
  EXPECT_LT(rig.GapTo(2.5, 0), rest + 0.15);
}

TEST(Filter, SlidesAlongAWallInsteadOfStopping) {
  Rig rig;
  rig.model.keep_out_W = {{{1, -9, 0}, {1, 9, 0}, 0.1}};
  for (int i = 0; i < 300; ++i) rig.Step({0.8, 0.5});
  EXPECT_LT(rig.observation.robot.q[0], 0.7);
  EXPECT_GT(rig.observation.robot.q[0], 0.6);
  EXPECT_GT(rig.observation.robot.q[1], 2.0);
}

TEST(Filter, EveryCommandIsProvedWhateverIsAsked) {
  Random random(11);
  Rig rig;
  rig.AddPerson(2, 0.5);
  rig.AddPerson(-1, 2);
  rig.model.keep_out_W = {{{0, -2, 0}, {3, -2, 0}, 0.1}};
  for (int i = 0; i < 20'000; ++i) {
    for (int p = 0; p < 2; ++p) {  // walkers inside their bound
      math::Capsule& c = rig.observation.parts[p].capsule_W;
      const math::Vec3 step = {random.Uniform(-0.02, 0.02), random.Uniform(-0.02, 0.02), 0};
      c.a = c.a + step;
      c.b = c.a;
    }
    const robot::Joints wanted = {random.Uniform(-3, 3), random.Uniform(-3, 3)};
    const FilterResult r = rig.Step(wanted);
    ASSERT_NE(r.proof, Proof::kNone);
    if (r.proof != Proof::kFresh) continue;
    for (double margin : r.margin) ASSERT_GE(margin, 0);
  }
}

TEST(Filter, NothingProvedMeansStandstill) {
  Rig rig;
  rig.AddPerson(0.5, 0);
  rig.data.previous = {0.5, 0};  // as if started while moving: brakes, but no plan was ever proved
  rig.observation.robot.qd = {0.5, 0};
  const FilterResult r = rig.Step({1, 0});
  EXPECT_EQ(r.proof, Proof::kNone);
  EXPECT_EQ(r.command, robot::Joints{});
  EXPECT_EQ(r.reason, Reason::kFilterInfeasible);
}

TEST(Filter, ANoisierMeasurementCannotVoidTheStoredPlan) {
  Rig rig;
  for (int i = 0; i < 40; ++i) rig.Step({1, 0});
  const robot::Joints before = rig.data.previous;
  rig.AddPerson(0.9 + rig.observation.robot.q[0],
                0);  // suddenly measured too near for any fresh proof
  const FilterResult r = rig.Step({1, 0});
  EXPECT_EQ(r.proof, Proof::kStoredPlan);
  EXPECT_EQ(r.reason, Reason::kFilterInfeasible);
  EXPECT_EQ(r.command, rig.robot->Brake(rig.observation.robot, before));
}

TEST(Filter, APlanThatNeverEndsIsReported) {
  Rig rig;
  for (int i = 0; i < 40; ++i) rig.Step({1, 0});
  rig.AddPerson(0.6 + rig.observation.robot.q[0], 0);
  bool repeated = false;
  for (int i = 0; i < 200 && !repeated; ++i) {
    rig.observation.robot.qd = {0.5, 0};  // the brakes do not bring it to rest
    const FilterResult r = rig.Step({1, 0});
    rig.observation.robot.qd = {0.5, 0};
    repeated = r.reason == Reason::kFilterRepeated;
  }
  EXPECT_TRUE(repeated);
}

TEST(Filter, HoldSlowsGentlyAndStopModesBrake) {
  Rig rig;
  for (int i = 0; i < 40; ++i) rig.Step({1, 0});
  const double v = rig.data.previous[0];
  const FilterResult hold = rig.Step({1, 0}, Mode::kHold);
  EXPECT_NEAR(hold.command[0], v - 1.5 * 0.02, 1e-12);
  const double w = rig.data.previous[0];
  const FilterResult stop = rig.Step({1, 0}, Mode::kControlledStop);
  EXPECT_NEAR(stop.command[0], w - 2.0 * 0.02, 1e-12);
  EXPECT_EQ(stop.reason, Reason::kNone);
}

TEST(Filter, NonsenseWishesBecomeStandstill) {
  Rig rig;
  for (int i = 0; i < 20; ++i) rig.Step({1, 0});
  for (double bad : {kNan, std::numeric_limits<double>::infinity()}) {
    const double v = rig.data.previous[0];
    const FilterResult r = rig.Step({bad, 0.3});
    EXPECT_LT(r.command[0], v);
    EXPECT_TRUE(std::isfinite(r.command[1]));
    EXPECT_EQ(r.proof, Proof::kFresh);
  }
}

TEST(Filter, NanMeasurementsAreNeverProved) {
  const auto poison = [](auto change) {
    Rig rig;
    rig.AddPerson(3, 0);
    for (int i = 0; i < 20; ++i) rig.Step({0.5, 0});
    change(rig);
    const FilterResult r = rig.Step({0.5, 0});
    EXPECT_EQ(r.proof, Proof::kStoredPlan);
    EXPECT_LT(r.command[0], 0.5);
    EXPECT_TRUE(std::isfinite(r.command[0]));
  };
  poison([](Rig& r) { r.observation.parts[0].capsule_W.a.x = kNan; });
  poison([](Rig& r) { r.observation.parts[0].capsule_W.radius = kNan; });
  poison([](Rig& r) { r.observation.robot.q[0] = kNan; });
  poison([](Rig& r) { r.observation.n_parts = 99; });
  poison([](Rig& r) { r.stamp_offset_ns = -50'000'000; });  // older than the proof is made for
  poison([](Rig& r) { r.stamp_offset_ns = 5'000'000; });    // from the future
}

TEST(Filter, OldMeasurementsGrowThePerson) {
  Rig fresh, old;
  for (Rig* rig : {&fresh, &old}) rig->AddPerson(1.4, 0);
  Situation s;
  AssembleSituation(fresh.model, fresh.observation, 0, {}, &s);
  EXPECT_NEAR(s.part_grown_m[0], 0.05, 1e-12);
  AssembleSituation(old.model, old.observation, 250'000'000, {}, &s);
  EXPECT_NEAR(s.part_grown_m[0], 0.05 + 0.25 * 1.6, 1e-12);
  old.observation.parts[0].region = robot::Region::kHand;
  AssembleSituation(old.model, old.observation, 250'000'000, {}, &s);
  EXPECT_NEAR(s.part_grown_m[0], 0.05 + 0.25 * 2.0, 1e-12);
}

TEST(Filter, SameInputsGiveTheSameBits) {
  const auto run = [] {
    Rig rig;
    Random random(4);
    rig.AddPerson(1.5, 0.4);
    double sum = 0;
    for (int i = 0; i < 500; ++i) {
      const FilterResult r = rig.Step({random.Uniform(-2, 2), random.Uniform(-2, 2)});
      sum += r.command[0] * (i % 7) + r.command[1];
    }
    return sum;
  };
  EXPECT_EQ(run(), run());
}

TEST(Filter, IterationsAndBisectionsAreBounded) {
  Rig rig;
  Random random(6);
  for (int p = 0; p < 8; ++p) rig.AddPerson(1.0 + 0.1 * p, random.Uniform(-1, 1));
  for (int i = 0; i < 2000; ++i) {
    const FilterResult r = rig.Step({random.Uniform(-2, 2), random.Uniform(-2, 2)});
    ASSERT_LE(r.bisections, rig.model.max_bisections);
    ASSERT_LE(r.n_rows, math::kQpMaxRows);
    ASSERT_LE(r.qp_iterations, math::kQpMaxIterations);
  }
}

}  // namespace
}  // namespace saferl::safety
