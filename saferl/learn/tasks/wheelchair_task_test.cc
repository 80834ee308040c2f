#include "saferl/learn/tasks/wheelchair_task.h"

#include <cmath>

#include "gtest/gtest.h"
#include "saferl/learn/evaluate.h"

namespace saferl::learn {
namespace {

/// Mean costs of a chair that is told to stand still.
std::array<double, 2> CostOfStanding(TaskUse use, int episodes) {
  const auto task = MakeWheelchairTask(1, use);
  EXPECT_TRUE(task.ok()) << task.status();
  const TaskSpec& spec = (*task)->spec();
  std::vector<float> observation(spec.n_obs);
  const std::array<float, 2> still{std::atanh(-spec.action_offset[0] / spec.action_scale[0]), 0};
  std::array<double, 2> cost{};
  for (int i = 0; i < episodes; ++i) {
    (*task)->Reset(0, EpisodeSeed(5, i), observation);
    for (StepResult step; !step.terminated && !step.truncated;) {
      step = (*task)->Step(0, still, observation);
      for (int k = 0; k < 2; ++k) cost[k] += step.cost[k] / episodes;
    }
  }
  return cost;
}

TEST(WheelchairTask, NoStartIsInAPedestriansWay) {
  for (const TaskUse use : {TaskUse::kTrain, TaskUse::kValidate, TaskUse::kTest})
    EXPECT_LT(CostOfStanding(use, 100)[1], 0.05) << static_cast<int>(use);
}

TEST(WheelchairTask, AnEpisodeIsAPureFunctionOfItsSeedAndActions) {
  auto task = MakeWheelchairTask(2, TaskUse::kTrain);
  ASSERT_TRUE(task.ok()) << task.status();
  const int n_obs = (*task)->spec().n_obs;
  std::vector<float> a(n_obs), b(n_obs);
  (*task)->Reset(1, 99, b);  // copy 1 has another episode behind it
  for (int t = 0; t < 20; ++t) (*task)->Step(1, std::array<float, 2>{1.0F, 0.3F}, b);
  (*task)->Reset(0, 7, a);
  (*task)->Reset(1, 7, b);
  EXPECT_EQ(a, b);
  for (int t = 0; t < 40; ++t) {
    const std::array<float, 2> action{0.5F, t % 2 == 0 ? 0.4F : -0.4F};
    const StepResult x = (*task)->Step(0, action, a), y = (*task)->Step(1, action, b);
    ASSERT_EQ(a, b) << t;
    ASSERT_EQ(x.reward, y.reward);
    ASSERT_EQ(x.cost, y.cost);
    if (x.terminated || x.truncated) break;
  }
}

}  // namespace
}  // namespace saferl::learn
