#include "saferl/control/features.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "saferl/base/random.h"
#include "saferl/control/workload.h"

namespace saferl::control {
namespace {

class FeaturesTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto robot = robot::LoadRobot(GetParam());
    ASSERT_TRUE(robot.ok()) << robot.status();
    model_ = MakeFeatureModel(*robot);
  }
  FeatureModel model_;
};

TEST_P(FeaturesTest, SchemaAddsUpToTheCount) {
  int sum = 0;
  for (const policy::Field& field : ObservationSchema(model_)) {
    sum += field.size;
    EXPECT_LT(field.low, field.high) << field.name;
    EXPECT_FALSE(field.unit.empty()) << field.name;
  }
  EXPECT_EQ(sum, FeatureCount(model_));
  int actions = 0;
  for (const policy::Field& field : ActionSchema(model_)) actions += field.size;
  EXPECT_EQ(actions, model_.robot->n());
}

TEST_P(FeaturesTest, FillsEveryEntryWithAFiniteNumberInsideItsSpan) {
  Workload workload(model_.robot);
  const int count = FeatureCount(model_);
  std::vector<float> out(static_cast<size_t>(count) + 1, NAN);
  EXPECT_EQ(ExtractFeatures(model_, workload.Next().observation, {1, 2, 3}, out), count);
  for (int i = 0; i < count; ++i) EXPECT_TRUE(std::isfinite(out[static_cast<size_t>(i)])) << i;
  EXPECT_TRUE(std::isnan(out.back()));
  std::vector<float> narrow(static_cast<size_t>(count) - 1);
  EXPECT_EQ(ExtractFeatures(model_, workload.Next().observation, {}, narrow), 0);
}

TEST_P(FeaturesTest, RetargetingEqualsExtractingAgain) {
  Workload workload(model_.robot);
  const robot::Observation o = workload.Next().observation;
  const size_t count = static_cast<size_t>(FeatureCount(model_));
  std::vector<float> whole(count), patched(count);
  ExtractFeatures(model_, o, {-1, 0.5, 0.2}, patched);
  RetargetFeatures(model_, o, {2, 1, 0.7}, patched);
  ExtractFeatures(model_, o, {2, 1, 0.7}, whole);
  EXPECT_EQ(whole, patched);
}

TEST_P(FeaturesTest, ActionsAndCommandsInvertEachOther) {
  Random random(2);
  const size_t n = static_cast<size_t>(model_.robot->n());
  std::vector<float> scale, offset, action(n), back(n);
  ActionScaling(model_, &scale, &offset);
  for (int k = 0; k < 100; ++k) {
    for (float& a : action) a = static_cast<float>(random.Uniform(-1, 1));
    robot::Joints u{};
    ActionToCommand(model_, action, &u);
    CommandToAction(model_, u, back);
    for (size_t i = 0; i < n; ++i) {
      EXPECT_NEAR(action[i], back[i], 1e-5);
      EXPECT_NEAR(u[i], static_cast<double>(scale[i] * action[i] + offset[i]),
                  1e-4 * (1 + std::abs(u[i])));
    }
  }
  for (float& a : action) a = 7;
  robot::Joints u{};
  ActionToCommand(model_, action, &u);
  for (size_t i = 0; i < n; ++i) EXPECT_EQ(u[i], model_.robot->limits().command_upper[i]);
}

INSTANTIATE_TEST_SUITE_P(Robots, FeaturesTest,
                         testing::Values("wheelchair", "arm7", "exoskeleton"));

class WheelchairFeatures : public testing::Test {
 protected:
  void SetUp() override { model_ = MakeFeatureModel(*robot::LoadRobot("wheelchair")); }
  const std::vector<float>& Extract(const math::Vec3& goal = {}) {
    out_.assign(static_cast<size_t>(FeatureCount(model_)), 0);
    ExtractFeatures(model_, observation_, goal, out_);
    return out_;
  }
  FeatureModel model_;
  robot::Observation observation_;
  std::vector<float> out_;
};

TEST_F(WheelchairFeatures, HaveThirtyEightEntries) { EXPECT_EQ(FeatureCount(model_), 38); }

TEST_F(WheelchairFeatures, GoalIsSeenFromTheBody) {
  observation_.robot.q = {1, 1, std::numbers::pi / 2};
  Extract({1, 4, 0});  // straight ahead
  EXPECT_NEAR(out_[0], 3, 1e-5);
  EXPECT_NEAR(out_[1], 0, 1e-5);
  EXPECT_NEAR(out_[2], 1, 1e-5);
  Extract({-1, 1, 0});  // to the left
  EXPECT_NEAR(out_[1], 1, 1e-5);
}

TEST_F(WheelchairFeatures, EveryBeamCountsInTheSectorItPointsAt) {
  for (int n : {24, 100, 360}) {
    for (int i = 0; i < n; ++i) {
      observation_.n_lidar = n;
      observation_.lidar_m.fill(INFINITY);
      observation_.lidar_m[static_cast<size_t>(i)] = 1.5F;
      const double angle = -std::numbers::pi + 2 * std::numbers::pi * i / n;
      const double sector = angle / (2 * std::numbers::pi / kLidarSectors);
      Extract();
      for (int k = 0; k < kLidarSectors; ++k) {
        const double off = std::remainder(sector - k, static_cast<double>(kLidarSectors));
        const float seen = out_[static_cast<size_t>(5 + k)];
        if (std::abs(off) < 0.499) {
          EXPECT_EQ(seen, 1.5F) << n << " " << i << " " << k;
        }
        if (std::abs(off) > 0.501) {
          EXPECT_EQ(seen, 4.0F) << n << " " << i << " " << k;
        }
      }
    }
  }
}

TEST_F(WheelchairFeatures, NearestPeopleAreSortedAndOnePerPerson) {
  observation_.n_parts = 6;
  const double x[] = {3.0, 2.0, 1.0, 1.2, 9.0, 2.5};
  const uint8_t person[] = {0, 1, 2, 2, 3, 4};
  for (size_t i = 0; i < 6; ++i) {
    observation_.parts[i].capsule_W = {{x[i], 0, 0}, {x[i], 0, 1}, 0.25};
    observation_.parts[i].person = person[i];
  }
  Extract();
  EXPECT_NEAR(out_[29], 0.75, 1e-5);
  EXPECT_NEAR(out_[32], 1.75, 1e-5);
  EXPECT_NEAR(out_[35], 2.25, 1e-5);
  EXPECT_NEAR(out_[31], 1, 1e-5);  // straight ahead
}

TEST(ArmFeatures, DirectionPointsFromTheToolToTheNearestPart) {
  const auto robot = *robot::LoadRobot("arm7");
  const FeatureModel model = MakeFeatureModel(robot);
  robot::Observation o;
  o.robot.q = {0, 0.5, 0, 1.3, 0, 1.0, 0};
  const math::Vec3 tool = ToolPosition(*robot, o.robot.q);
  o.n_parts = 1;
  o.parts[0].capsule_W = {tool + math::Vec3{0, 1, 0}, tool + math::Vec3{0, 1, 0}, 0.1};
  std::vector<float> out(static_cast<size_t>(FeatureCount(model)));
  ExtractFeatures(model, o, tool + math::Vec3{0.1, 0.2, 0.3}, out);
  EXPECT_NEAR(out[14], 0.1, 1e-5);
  EXPECT_NEAR(out[16], 0.3, 1e-5);
  EXPECT_NEAR(out[17], 0.9, 1e-5);
  EXPECT_NEAR(out[19], 1.0, 1e-5);
}

}  // namespace
}  // namespace saferl::control
