// Any single fault -> a safe command in the same tick, with its Reason. For every robot that
// exists.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "saferl/base/clock.h"
#include "saferl/base/data_path.h"
#include "saferl/control/tick_data.h"
#include "saferl/control/workload.h"

namespace saferl::control {
namespace {

using safety::Mode;
using safety::Reason;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

class TickFault : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto model = MakeBenchModel(GetParam());
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *model;
    Restart();
  }
  const robot::RobotModel& robot() const { return *model_.safety->robot; }

  void Restart() {
    workload_ = std::make_unique<Workload>(model_.safety->robot);
    data_ = Prepare(model_);
    for (int k = 0; k < 200; ++k) Step();
    ASSERT_EQ(decision_.command.mode, Mode::kNominal) << safety::Name(decision_.command.reason);
  }
  void Step(const std::function<void(TickInput*)>& fault = nullptr) {
    before_ = decision_.command;
    input_ = workload_->Next();
    if (fault) fault(&input_);
    Tick(model_, input_, data_.get(), &decision_);
    workload_->Apply(decision_.command);
  }

  /// The promise: whatever went in, what leaves is finite, inside the limits, proved or a stop, and
  /// valid for a time.
  void ExpectSafe() {
    const robot::Limits& limits = robot().limits();
    for (int i = 0; i < robot().n(); ++i) {
      ASSERT_TRUE(std::isfinite(decision_.command.u[i])) << i;
      EXPECT_GE(decision_.command.u[i], limits.command_lower[i]) << i;
      EXPECT_LE(decision_.command.u[i], limits.command_upper[i]) << i;
    }
    EXPECT_EQ(decision_.command.sequence, input_.sequence);
    EXPECT_EQ(decision_.command.issued_ns, input_.now_ns);
    EXPECT_GE(decision_.command.valid_for_ns, 0);
    EXPECT_NE(decision_.filter.proof, safety::Proof::kNone);
    if (decision_.command.mode < Mode::kControlledStop ||
        robot().kind() == robot::Kind::kExoskeleton)
      return;
    for (int i = 0; i < robot().n(); ++i)  // a velocity robot that stops never speeds up
      EXPECT_LE(std::abs(decision_.command.u[i]), std::abs(before_.u[i]) + 1e-9) << i;
  }

  /// One fault in a running robot: right reason in the same tick, safe command.
  void Expect(const char* what, Reason reason, const std::function<void(TickInput*)>& fault) {
    SCOPED_TRACE(std::string(what) + " on " + GetParam());
    Restart();
    Step(fault);
    EXPECT_EQ(decision_.command.mode, safety::DemandedMode(reason));
    EXPECT_EQ(safety::Name(decision_.command.reason), safety::Name(reason));
    ExpectSafe();
    Step(fault);  // and it stays safe while the fault lasts
    EXPECT_GE(decision_.command.mode, safety::DemandedMode(reason));
    ExpectSafe();
  }

  TickModel model_;
  std::unique_ptr<Workload> workload_;
  std::unique_ptr<TickData, void (*)(TickData*)> data_{nullptr, nullptr};
  TickInput input_;
  Decision decision_;
  safety::Command before_;
};

TEST_P(TickFault, NonFiniteRobotStateStops) {
  for (double bad : {kNan, kInf, -kInf, 1e9}) {
    for (int i = 0; i < PoseSize(robot()); ++i)
      Expect("q", Reason::kStateInvalid, [=](TickInput* in) { in->observation.robot.q[i] = bad; });
    for (int i = 0; i < robot().n(); ++i) {
      Expect("qd", Reason::kStateInvalid,
             [=](TickInput* in) { in->observation.robot.qd[i] = bad; });
      Expect("interaction", Reason::kStateInvalid,
             [=](TickInput* in) { in->observation.interaction[i] = bad; });
    }
  }
}

TEST_P(TickFault, ImpossiblePeopleStop) {
  for (int32_t n : {-1, 33, 1 << 30})
    Expect("n_parts", Reason::kPeopleInvalid, [=](TickInput* in) { in->observation.n_parts = n; });
  for (double bad : {kNan, kInf, -kInf, 1e9}) {
    const auto part = [](TickInput* in) -> robot::HumanPart& {
      in->observation.n_parts = std::max(in->observation.n_parts, 1);
      robot::HumanPart& p = in->observation.parts[0];
      p.stamp_ns = in->now_ns;
      return p;
    };
    Expect("a", Reason::kPeopleInvalid, [=](TickInput* in) { part(in).capsule_W.a.y = bad; });
    Expect("b", Reason::kPeopleInvalid, [=](TickInput* in) { part(in).capsule_W.b.z = bad; });
    Expect("radius", Reason::kPeopleInvalid,
           [=](TickInput* in) { part(in).capsule_W.radius = bad; });
  }
}

TEST_P(TickFault, ImpossibleLidarStops) {
  for (int32_t n : {-1, 361, 1 << 30})
    Expect("n_lidar", Reason::kLidarInvalid, [=](TickInput* in) { in->observation.n_lidar = n; });
  for (float bad :
       {std::numeric_limits<float>::quiet_NaN(), -1.0F, -std::numeric_limits<float>::infinity()})
    Expect("range", Reason::kLidarInvalid, [=](TickInput* in) {
      in->observation.n_lidar = std::max(in->observation.n_lidar, 10);
      in->observation.lidar_m[7] = bad;
    });
}

TEST_P(TickFault, StaleInputsCountNoMore) {
  Expect("state", Reason::kStateStale, [this](TickInput* in) {
    in->observation.robot.stamp_ns =
        std::max<int64_t>(in->now_ns - model_.limits.max_state_age_ns - 1, 1);
    if (model_.limits.max_state_age_ns < FromSeconds(robot().period_s())) return;
    in->now_ns += 1;  // the last record was younger than this age allows: no stamp may run backward
    in->observation.robot.stamp_ns = in->now_ns - model_.limits.max_state_age_ns - 1;
  });
  Expect("human", Reason::kHumanStale, [this](TickInput* in) {
    in->human.stamp_ns = in->now_ns - model_.limits.max_human_age_ns - 1;
    data_->check.human_stamp_ns = in->human.stamp_ns;
  });
  if (robot().kind() == robot::Kind::kExoskeleton) return;
  Expect("people", Reason::kPeopleStale, [this](TickInput* in) {
    in->observation.people_stamp_ns = in->now_ns - model_.limits.max_people_age_ns - 1;
    data_->check.people_stamp_ns = in->observation.people_stamp_ns;
  });
  if (robot().kind() != robot::Kind::kWheelchair) return;
  Expect("lidar", Reason::kLidarStale, [this](TickInput* in) {
    in->observation.lidar_stamp_ns = in->now_ns - model_.limits.max_lidar_age_ns - 1;
    data_->check.lidar_stamp_ns = in->observation.lidar_stamp_ns;
  });
}

TEST_P(TickFault, StampsFromTheFutureOrBackwardStop) {
  const auto each = [this](Reason reason, int64_t by) {
    Expect("observation", reason, [=](TickInput* in) { in->observation.stamp_ns += by; });
    Expect("state", reason, [=](TickInput* in) { in->observation.robot.stamp_ns += by; });
    Expect("human", reason, [=](TickInput* in) { in->human.stamp_ns += by; });
    if (robot().kind() == robot::Kind::kExoskeleton) return;
    Expect("people", reason, [=](TickInput* in) { in->observation.people_stamp_ns += by; });
  };
  each(Reason::kClockFuture, 5'000'000'000);
  const int64_t back = -FromSeconds(1.5 * robot().period_s());
  Expect("human", Reason::kClockBackward, [=](TickInput* in) { in->human.stamp_ns += back; });
  Expect("observation", Reason::kClockBackward,
         [=](TickInput* in) { in->observation.stamp_ns += back; });
  Expect("sequence", Reason::kClockBackward, [](TickInput* in) { in->observation.sequence = 1; });
  Expect("now", Reason::kClockBackward, [](TickInput* in) {
    in->now_ns = 2;
    in->observation.stamp_ns = in->observation.robot.stamp_ns = in->human.stamp_ns = 1;
  });
  if (robot().kind() != robot::Kind::kExoskeleton)
    Expect("part", Reason::kClockFuture,
           [](TickInput* in) { in->observation.parts[0].stamp_ns = in->now_ns + 1; });
}

TEST_P(TickFault, StampsAtEitherEndOfTimeStop) {
  const auto each = [this](const char* what, const std::function<int64_t*(TickInput*)>& stamp) {
    for (const int64_t end : {INT64_MIN, INT64_MIN + 1, INT64_MAX}) {
      SCOPED_TRACE(std::string(what) + " on " + GetParam() + ": " + std::to_string(end));
      Restart();
      for (int k = 0; k < 2; ++k) {
        Step([&](TickInput* in) { *stamp(in) = end; });
        // Whoever was seen that long ago can be anywhere: nothing new is proved.
        EXPECT_TRUE(decision_.command.mode >= Mode::kHold ||
                    decision_.filter.proof == safety::Proof::kStoredPlan);
        ExpectSafe();
      }
    }
  };
  each("now", [](TickInput* in) { return &in->now_ns; });
  each("observation", [](TickInput* in) { return &in->observation.stamp_ns; });
  each("state", [](TickInput* in) { return &in->observation.robot.stamp_ns; });
  each("human", [](TickInput* in) { return &in->human.stamp_ns; });
  if (robot().kind() == robot::Kind::kExoskeleton) return;
  each("people", [](TickInput* in) { return &in->observation.people_stamp_ns; });
  each("part", [](TickInput* in) { return &in->observation.parts[0].stamp_ns; });
  if (robot().kind() != robot::Kind::kWheelchair) return;
  each("lidar", [](TickInput* in) { return &in->observation.lidar_stamp_ns; });
}

TEST_P(TickFault, ARepeatedSequenceNumberWithANewStampIsAFrozenSensor) {
  Expect("sequence", Reason::kSensorFrozen,
         [this](TickInput* in) { in->observation.sequence = data_->check.observation_sequence; });
}

TEST_P(TickFault, ValuesThatStandStillWhileTheRobotMovesAreAFrozenSensor) {
  const robot::Joints q = input_.observation.robot.q;
  int ticks = 0;
  for (; decision_.command.mode < Mode::kControlledStop && ticks < 20'000; ++ticks)
    Step([&](TickInput* in) {
      in->observation.robot.q = q;
      for (int i = 0; i < robot().n(); ++i)
        in->observation.robot.qd[i] = data_->filter.previous[i];  // what it was told to do
      if (robot().kind() == robot::Kind::kExoskeleton)
        for (int i = 0; i < robot().n(); ++i) in->observation.robot.qd[i] = 0.3;
    });
  EXPECT_GE(decision_.command.mode, Mode::kControlledStop);
  ExpectSafe();
}

TEST_P(TickFault, ImpossibleHumanInputHolds) {
  for (double bad : {kNan, kInf, -kInf, 1e12})
    for (int i = 0; i < robot().n(); ++i)
      Expect("u", Reason::kHumanInvalid, [=](TickInput* in) { in->human.u[i] = bad; });
  Expect("enable", Reason::kEnableReleased, [](TickInput* in) { in->human.enabled = false; });
}

TEST_P(TickFault, StopAlwaysWins) {
  Expect("button", Reason::kStopRequested,
         [](TickInput* in) { in->human.stop = in->human.acknowledge = true; });
  Expect("operator", Reason::kStopRequested, [](TickInput* in) { in->stop_requested = true; });
  Expect("stop on a dead device", Reason::kStopRequested, [](TickInput* in) {
    in->human.stop = true;
    in->human.u[0] = kNan;
  });
  Expect("lease", Reason::kMonitorLost, [](TickInput* in) { in->lease_ok = false; });
}

TEST_P(TickFault, ALateOrNonsensePolicyLeavesThePersonAlone) {
  for (double bad : {kNan, kInf, 1e12})
    Expect("external", Reason::kPolicyInvalid, [=](TickInput* in) {
      in->policy = {true, in->now_ns, {}};
      in->policy.u[0] = bad;
    });
  Expect("late", Reason::kPolicyLate, [this](TickInput* in) {
    in->policy = {true, in->now_ns - model_.limits.max_policy_age_ns - 1, {}};
  });
  Expect("future", Reason::kPolicyInvalid,
         [](TickInput* in) { in->policy = {true, in->now_ns + 1, {}}; });
  Expect("goals", Reason::kPolicyInvalid, [](TickInput* in) {
    in->goals.n = 1;
    in->goals.p_W[0].x = kNan;
  });
  Expect("goal count", Reason::kPolicyInvalid, [](TickInput* in) { in->goals.n = -4; });
  EXPECT_EQ(decision_.authority, 0);
  Restart();
  Step([](TickInput* in) { in->policy = {true, in->now_ns, {}}; });
  Step();  // and then nothing more from it
  EXPECT_EQ(decision_.command.reason, Reason::kPolicyLate);
}

TEST_P(TickFault, DegradedIsThePersonAloneAndSlower) {
  Step([](TickInput* in) {
    in->goals.n = -4;
    in->human.u = {};
    in->human.u[0] = 1e-3;
  });
  EXPECT_EQ(decision_.blended[0], 1e-3);
  Step([this](TickInput* in) {
    in->goals.n = -4;
    in->human.u = robot().limits().command_upper;
  });
  for (int i = 0; i < robot().n(); ++i)
    EXPECT_LE(decision_.blended[i],
              model_.limits.degraded_speed * robot().limits().command_upper[i] + 1e-12);
}

TEST_P(TickFault, LateTicksStop) {
  const int64_t period = FromSeconds(robot().period_s());
  const auto late = [&](int64_t by) {
    return [=](TickInput* in) {
      in->now_ns += by;
      in->observation.stamp_ns = in->observation.robot.stamp_ns = in->human.stamp_ns = in->now_ns;
      if (in->observation.people_stamp_ns != 0) in->observation.people_stamp_ns = in->now_ns;
      if (in->observation.lidar_stamp_ns != 0) in->observation.lidar_stamp_ns = in->now_ns;
    };
  };
  Restart();
  Step(late(period + period / 10));
  EXPECT_EQ(decision_.command.reason, Reason::kTickLate);
  EXPECT_EQ(decision_.command.mode, Mode::kControlledStop);
  ExpectSafe();
  Restart();
  Step(late(period * 6 / 10));  // one slip is forgiven
  EXPECT_NE(decision_.command.reason, Reason::kTickSlips);
  Step(late(period * 6 / 10 + period * 6 / 10));
  EXPECT_EQ(decision_.command.reason, Reason::kTickSlips);
  EXPECT_EQ(decision_.command.mode, Mode::kControlledStop);
  ExpectSafe();
}

TEST_P(TickFault, AnUnprovableFirstTickIsAStandstill) {
  data_ = Prepare(model_);
  decision_ = Decision();
  Step([](TickInput* in) { in->observation.robot.q[0] = kNan; });
  EXPECT_EQ(decision_.command.mode, Mode::kControlledStop);
  for (int i = 0; i < robot().n(); ++i) {
    EXPECT_TRUE(std::isfinite(decision_.command.u[i]));
    if (robot().kind() == robot::Kind::kExoskeleton) continue;
    EXPECT_EQ(decision_.command.u[i], 0);
  }
}

TEST_P(TickFault, PeoplePressedAgainstTheRobotNeverGetTheWish) {
  // Nothing near the wish can be certified: the stored plan runs, or a stop; never the wish.
  Step([](TickInput* in) {
    for (robot::HumanPart& part : in->observation.parts) part.capsule_W.radius = 1.9;
  });
  ExpectSafe();
  EXPECT_TRUE(decision_.filter.proof != safety::Proof::kFresh ||
              decision_.filter.margin[static_cast<size_t>(safety::ConstraintId::kSeparation)] >= 0);
}

std::vector<std::string> ExistingRobots() {
  std::vector<std::string> robots;
  for (const std::string& name : ListNames("robots", ".yaml"))
    if (safety::LoadSafetyModel(name).ok()) robots.push_back(name);
  return robots;
}

INSTANTIATE_TEST_SUITE_P(Robots, TickFault, testing::ValuesIn(ExistingRobots()));

}  // namespace
}  // namespace saferl::control
