// The shipped arm and exoskeleton in a small closed loop: wild wishes, people at their speed bound,
// truth checked.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "saferl/base/random.h"
#include "saferl/robot/exoskeleton.h"
#include "saferl/safety/gate.h"
#include "saferl/safety/testing/cases.h"

namespace saferl::safety {
namespace {

/// One pass of filter, gate and commit; every command must be justified and pass the gate.
robot::Joints Send(const SafetyModel& model, const robot::Observation& o, int64_t now_ns,
                   const robot::Joints& wanted, FilterData* data, FilterResult* result) {
  *result = Filter(model, o, now_ns, wanted, Mode::kNominal, data);
  EXPECT_NE(result->proof, Proof::kNone);
  const GateResult gate = Gate(*model.robot, o.robot, data->previous, result->command,
                               Mode::kNominal, result->reason, now_ns, o.sequence);
  EXPECT_TRUE(gate.passed);
  Commit(gate.command.u, data);
  return gate.command.u;
}

struct ArmRun {
  int moving = 0, interventions = 0, contact_rows = 0;
};

ArmRun DriveArm(uint64_t seed, bool with_worker, int ticks) {
  testing::Case c = testing::MakeCase("arm7");
  ArmRun run;
  if (c.model == nullptr) return run;
  const robot::RobotModel& arm = *c.model->robot;
  robot::Observation& o = c.observation;
  if (!with_worker) o.n_parts = 0;
  o.robot.qd = {};
  FilterData data;
  Random random(seed);
  robot::Joints wanted{};
  double walk = 0;
  for (int k = 0; k < ticks; ++k) {
    c.now_ns += 1'000'000;
    o.stamp_ns = o.robot.stamp_ns = o.people_stamp_ns = c.now_ns;
    if (k % 150 == 0) {
      for (int i = 0; i < arm.n(); ++i) wanted[i] = random.Uniform(-2.5, 2.5);
      walk = random.Uniform(-1.6, 1.6);
    }
    for (int p = 0; p < o.n_parts; ++p) {
      math::Capsule& part = o.parts[p].capsule_W;
      const double step =
          part.a.x > 1.2 ? -std::abs(walk) : (part.a.x < 0.5 ? std::abs(walk) : walk);
      part.a.x += 1e-3 * step;
      part.b.x += 1e-3 * step;
      o.parts[p].stamp_ns = c.now_ns;
    }
    FilterResult result;
    const robot::Joints u = Send(*c.model, o, c.now_ns, wanted, &data, &result);
    run.interventions += result.intervened;
    bool moves = false;
    for (int i = 0; i < arm.n(); ++i) {
      o.robot.q[i] += 1e-3 * u[i];
      o.robot.qd[i] = u[i];
      moves = moves || std::abs(u[i]) > 1e-3;
      EXPECT_GE(o.robot.q[i], arm.limits().q_lower[i]);
      EXPECT_LE(o.robot.q[i], arm.limits().q_upper[i]);
      EXPECT_LE(std::abs(u[i]), arm.limits().qd_max[i]);
    }
    run.moving += moves;
    for (int r = 0; r < data.rows.n; ++r)
      run.contact_rows += data.rows.source[r] == ConstraintId::kContact;
    if (!moves) continue;
    robot::Placement placement;
    arm.Place(o.robot.q, &placement);
    for (int p = 0; p < o.n_parts; ++p) {
      if (c.model->by_contact[static_cast<size_t>(o.parts[p].region)]) continue;
      for (int i = 0; i < placement.n_links; ++i) {
        EXPECT_GT(math::CapsuleDistance(placement.link_W[i], o.parts[p].capsule_W), 0);
      }
    }
    if (::testing::Test::HasFailure()) break;
  }
  return run;
}

TEST(FilterArm, NeverTouchesAWorkerWhileMovingAndStaysInRange) {
  const ArmRun run = DriveArm(5, true, 6000);
  EXPECT_GT(run.moving, 600);
  EXPECT_GT(run.interventions, 100);
  EXPECT_GT(run.contact_rows, 0);
}

TEST(FilterArm, AloneItUsesItsRangeAndSpeed) {
  const ArmRun run = DriveArm(6, false, 6000);
  EXPECT_GT(run.moving, 4000);
}

TEST(FilterExoskeleton, WildTorquesNeverLeaveTheWearersRange) {
  testing::Case c = testing::MakeCase("exoskeleton");
  ASSERT_NE(c.model, nullptr);
  const auto& exo = static_cast<const robot::Exoskeleton&>(*c.model->robot);
  robot::Observation& o = c.observation;
  o.robot.qd = {};
  FilterData data;
  data.previous = exo.Gravity(o.robot.q);
  Random random(9);
  robot::Joints wanted{}, wearer{};
  int fresh = 0, interventions = 0;
  for (int k = 0; k < 6000; ++k) {
    c.now_ns += 2'000'000;
    o.stamp_ns = o.robot.stamp_ns = c.now_ns;
    if (k % 40 == 0) {
      for (int i = 0; i < 4; ++i) {
        wanted[i] = random.Uniform(-1, 1) * exo.limits().effort_max[i];
        wearer[i] = random.Uniform(-1, 1) * exo.tracking_error()[i];
      }
    }
    FilterResult result;
    const robot::Joints u = Send(*c.model, o, c.now_ns, wanted, &data, &result);
    fresh += result.proof == Proof::kFresh;
    interventions += result.intervened;
    robot::Joints torque{};
    for (int i = 0; i < 4; ++i) torque[i] = u[i] + wearer[i];
    for (int step = 0; step < 4; ++step) {
      const robot::Joints a = exo.Acceleration(o.robot.q, o.robot.qd, torque);
      for (int i = 0; i < 4; ++i) {
        o.robot.qd[i] += 5e-4 * a[i];
        o.robot.q[i] += 5e-4 * o.robot.qd[i];
      }
    }
    for (int i = 0; i < 4; ++i) {
      ASSERT_GE(o.robot.q[i], exo.limits().q_lower[i]) << k;
      ASSERT_LE(o.robot.q[i], exo.limits().q_upper[i]) << k;
      ASSERT_LE(std::abs(o.robot.qd[i]), exo.limits().qd_max[i]) << k;
    }
  }
  EXPECT_GT(fresh, 4000);
  EXPECT_GT(interventions, 1000);
}

}  // namespace
}  // namespace saferl::safety
