// Whose doing a changed wish was: the same wall, with and without the policy's share.
#include "saferl/services/rollouts/attribution.h"

#include <gtest/gtest.h>

#include "saferl/control/tick_data.h"
#include "saferl/control/workload.h"

namespace saferl::services {
namespace {

/// A wheelchair that rolls at half a metre a second toward a wall, and decisions made by its
/// filter.
class AttributionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto model = control::MakeBenchModel("wheelchair");
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *model;
    control::Workload workload(model_.safety->robot);
    first_ = workload.Next();
    first_.human = {};
    first_.observation.n_parts = 0;
    filter_ = std::make_unique<safety::FilterData>();
    near_m_ = kFar_m;
    while (near_m_ > 0 && !Tick(near_m_, 0, 0.8, 0).filter.intervened) near_m_ -= 0.01;
    ASSERT_FALSE(Tick(near_m_, 0, 0, 0).filter.intervened);  // who brakes is let pass
  }
  /// A tick: what the filter makes of `blended` where the person wants `human`, with a wall
  /// `wall_m` ahead of the lidar.
  control::Decision Tick(double wall_m, double human, double blended, double authority) {
    control::Decision d;
    d.input = first_;
    d.input.now_ns += ++ticks_ * FromSeconds(model_.safety->robot->period_s());
    robot::Observation& o = d.input.observation;
    o.stamp_ns = o.robot.stamp_ns = o.lidar_stamp_ns = o.people_stamp_ns = d.input.now_ns;
    o.robot.qd = {kSpeed};
    std::fill_n(o.lidar_m.begin(), o.n_lidar, static_cast<float>(wall_m));
    d.input.human.u = {human};
    d.policy_u = {blended};
    d.blended = {blended};
    d.policy_used = true;
    d.authority = authority;
    filter_->previous = {kSpeed};
    d.filter = safety::Filter(*model_.safety, o, d.input.now_ns, d.blended, safety::Mode::kNominal,
                              filter_.get());
    d.command.u = {kSpeed};
    return d;
  }

  static constexpr double kSpeed = 0.5;
  static constexpr double kFar_m = 3.5;
  double near_m_ = 0;  ///< where driving on is changed
  control::TickModel model_;
  control::TickInput first_;
  std::unique_ptr<safety::FilterData> filter_;
  Attribution doing_;
  int64_t ticks_ = 0;
};

/// The mutants that these catch: no second pass of the filter (the third look), no look at the
/// share (the second), nothing counted at all (the first).
TEST_F(AttributionTest, CountsWhatThePolicyCausedAndNotWhatThePersonWouldHaveCaused) {
  (void)doing_.Look(&model_, Tick(kFar_m, kSpeed, kSpeed, 0.5));
  const control::Decision policy = Tick(near_m_, 0, 0.8, 0.5);  // the person brakes, it does not
  ASSERT_TRUE(policy.filter.intervened);
  EXPECT_TRUE(doing_.Look(&model_, policy).changed);
  EXPECT_TRUE(doing_.Look(nullptr, policy).changed);

  const control::Decision nobody = Tick(near_m_, 0, 0.8, 0);
  ASSERT_TRUE(nobody.filter.intervened);
  EXPECT_FALSE(doing_.Look(&model_, nobody).changed);

  const control::Decision both = Tick(near_m_, 0.8, 0.8, 0.5);
  ASSERT_TRUE(both.filter.intervened);
  EXPECT_FALSE(doing_.Look(&model_, both).changed);
  EXPECT_TRUE(doing_.Look(nullptr, both).changed);  // from a record alone nobody can tell

  const control::Decision free = Tick(kFar_m, kSpeed, kSpeed, 0.5);
  ASSERT_FALSE(free.filter.intervened);
  EXPECT_FALSE(doing_.Look(&model_, free).changed);
}

TEST_F(AttributionTest, WithoutATickBeforeNothingWasChanged) {
  EXPECT_FALSE(doing_.Look(&model_, Tick(near_m_, 0, 0.8, 0.5)).changed);
  EXPECT_TRUE(doing_.Look(&model_, Tick(near_m_, 0, 0.8, 0.5)).changed);
  ticks_ += 100;
  EXPECT_FALSE(doing_.Look(&model_, Tick(near_m_, 0, 0.8, 0.5)).changed);
  control::TickData memory;
  memory.filter.previous = {kSpeed};
  control::Decision copied = Tick(near_m_, 0, 0.8, 0.5);
  doing_.StartFrom(memory, copied.input.now_ns);  // the shadow's
  EXPECT_TRUE(doing_.Look(&model_, copied).changed);
}

TEST_F(AttributionTest, APersonsStopCountsWithinASecondOfTheShare) {
  const auto stop = [&] {
    control::Decision d = Tick(kFar_m, 0, 0, 0);
    d.input.human.stop = true;
    return doing_.Look(&model_, d);
  };
  EXPECT_FALSE(stop().changed);
  (void)doing_.Look(&model_, Tick(kFar_m, kSpeed, kSpeed, 0.5));
  EXPECT_TRUE(stop().changed);
  ticks_ += 48;
  EXPECT_TRUE(stop().shared);
  EXPECT_FALSE(stop().shared);
  EXPECT_FALSE(stop().changed);
}

TEST_F(AttributionTest, HelpIsRefusedWhereThePersonSteersAgainstIt) {
  const auto look = [&](double human, double policy, bool used, safety::Mode mode) {
    control::Decision d = Tick(kFar_m, human, human, 0);
    d.policy_u = {policy};
    d.policy_used = used;
    d.command.mode = mode;
    return doing_.Look(&model_, d).refused;
  };
  constexpr safety::Mode kNominal = safety::Mode::kNominal;
  EXPECT_TRUE(look(kSpeed, -kSpeed, true, kNominal));
  EXPECT_FALSE(look(kSpeed, kSpeed, true, kNominal));
  EXPECT_FALSE(look(kSpeed, -kSpeed, false, kNominal));                // there was none
  EXPECT_FALSE(look(kSpeed, -kSpeed, true, safety::Mode::kDegraded));  // it was not allowed
  EXPECT_FALSE(look(0.001, -kSpeed, true, kNominal));                  // the person's hand rests
}

}  // namespace
}  // namespace saferl::services
