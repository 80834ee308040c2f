#include "saferl/sim/person.h"

#include <gtest/gtest.h>

#include "saferl/sim/drive.h"

namespace saferl::sim {
namespace {

/// Same seed, same person: the stick says the same bits; the kinds differ from one another.
TEST(Person, IsDeterministicAndKindsDiffer) {
  const auto model = MakeDriveModel("wheelchair", nullptr);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto robot = model->tick->safety->robot;
  const auto scene = std::make_shared<Scene>(MakeScene(5));
  std::vector<robot::Joints> sums;
  for (int k = 0; k < kNumPersonKinds; ++k) {
    const auto kind = static_cast<PersonKind>(k);
    Person a(kind, 9, MakeWheelchairSkill(robot, scene), robot, scene->true_goal);
    Person b(kind, 9, MakeWheelchairSkill(robot, scene), robot, scene->true_goal);
    robot::Joints sum{};
    for (int64_t t = 0; t < 400; ++t) {
      Sight sight{t * 20'000'000, {}, {}};
      sight.robot.q = {scene->start.x, scene->start.y,
                       scene->start.yaw + 0.002 * static_cast<double>(t)};
      sight.robot.qd = {0.2, 0.1};
      const control::HumanInput ua = a.Act(sight), ub = b.Act(sight);
      EXPECT_EQ(ua.u, ub.u) << Name(kind);
      for (int i = 0; i < 2; ++i) {
        EXPECT_GE(ua.u[i], robot->limits().command_lower[i]);
        EXPECT_LE(ua.u[i], robot->limits().command_upper[i]);
        sum[i] += ua.u[i] * static_cast<double>(1 + t % 7);
      }
    }
    for (const robot::Joints& other : sums) EXPECT_NE(sum, other) << Name(kind);
    sums.push_back(sum);
  }
}

TEST(Person, NamesRoundTripAndUnknownOnesAreRefused) {
  for (int k = 0; k < kNumPersonKinds; ++k) {
    const auto kind = static_cast<PersonKind>(k);
    EXPECT_EQ(*ParsePersonKind(Name(kind)), kind);
  }
  EXPECT_FALSE(ParsePersonKind("nobody").ok());
}

TEST(Person, LaggyPeopleRepeatTheirLastCommand) {
  const auto model = MakeDriveModel("wheelchair", nullptr);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto robot = model->tick->safety->robot;
  const auto scene = std::make_shared<Scene>(MakeScene(5));
  Person person(PersonKind::kLaggy, 3, MakeWheelchairSkill(robot, scene), robot, 0);
  int64_t changes = 0;
  robot::Joints last{};
  constexpr int64_t kTicks = 20'000;
  for (int64_t t = 0; t < kTicks; ++t) {
    Sight sight{t * 20'000'000, {}, {}};
    // Turns on, so that the expert's command changes all the time.
    sight.robot.q = {scene->start.x, scene->start.y, 0.013 * static_cast<double>(t)};
    const robot::Joints u = person.Act(sight).u;
    changes += !(u == last);
    last = u;
  }
  // 4000 decisions, of which 15 % are fresh; some of these say the same as before.
  EXPECT_GT(changes, 300);
  EXPECT_LT(changes, 660);
}

TEST(Person, AbsentPeopleStopSending) {
  const auto model = MakeDriveModel("wheelchair", nullptr);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto robot = model->tick->safety->robot;
  const auto scene = std::make_shared<Scene>(MakeScene(5));
  Person person(PersonKind::kAbsent, 3, MakeWheelchairSkill(robot, scene), robot, 0);
  int64_t silent = 0, last = -1;
  for (int64_t t = 0; t < 2000; ++t) {
    Sight sight{t * 20'000'000, {}, {}};
    sight.robot.q = {scene->start.x, scene->start.y, 0};
    const int64_t stamp = person.Act(sight).stamp_ns;
    silent += stamp == last;
    last = stamp;
  }
  EXPECT_GT(silent, 100);
  EXPECT_LT(silent, 1000);
}

}  // namespace
}  // namespace saferl::sim
