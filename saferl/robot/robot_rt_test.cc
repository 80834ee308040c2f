// The real-time promise of every const function of a robot: no allocation, lock or system call.
#include <gtest/gtest.h>

#include "saferl/base/rt_guard/rt_guard.h"
#include "saferl/robot/human.h"
#include "saferl/robot/robot_model.h"

namespace saferl::robot {
namespace {

TEST(RobotRtTest, NothingAllocatesLocksOrCallsTheSystem) {
  for (const char* name : {"wheelchair", "arm7", "exoskeleton"}) {
    const auto robot = *LoadRobot(name);
    RobotState state;
    Joints u{};
    for (int j = 0; j < robot->n(); ++j) u[j] = 0.3 * robot->limits().command_upper[j];
    Manoeuvre m;
    std::array<HumanPart, kMaxParts> parts;
    std::array<math::Capsule, kMaxParts> people;
    std::array<Nearness, 24> near;
    Placement place;
    double sum = 0;
    const auto pass = [&] {
      Skeleton body{};
      for (int i = 0; i < kBodyJoints; ++i) body[i] = {0.1 * i, 0.5, 0.1 * i};
      const int n = BodyParts(body, {}, 0, 0, parts);
      for (int i = 0; i < n; ++i) people[i] = parts[i].capsule_W;
      robot->Place(state.q, &place);
      robot->Predict(state, u, robot->Brake(state, u), &m);
      for (int k = 0; k < m.n; ++k)
        sum += robot->Clearance(m.sample[k].placement, {people.data(), static_cast<size_t>(n)},
                                m.sample[k].reach_m, 5);
      sum += robot->Near(state, place, {people.data(), static_cast<size_t>(n)}, 5, near);
    };
    pass();
    RtCounts counts;
    {
      RtScope scope(&counts);
      for (int i = 0; i < 100; ++i) pass();
    }
    EXPECT_EQ(counts.allocations + counts.frees + counts.locks, 0) << name;
    const auto calls = CountSyscalls(pass);
    if (calls.ok()) {
      EXPECT_EQ(calls->calls, 0) << name;
    }
    EXPECT_TRUE(sum == sum);
  }
}

}  // namespace
}  // namespace saferl::robot
