#include "saferl/learn/evaluate_package.h"

#include <gtest/gtest.h>

#include <cmath>

#include "saferl/learn/trainer.h"

namespace saferl::learn {
namespace {

TEST(EvaluatePackage, GivesTheNumbersOfTheTrainerItCameFrom) {
  TrainConfig config;
  config.task = "speed_track";
  config.n_envs = 32;
  config.rollout_steps = 32;
  config.iterations = config.evaluation_every = 2;
  config.evaluation_episodes = 8;
  config.threads = 1;
  const auto trainer = Trainer::Create(config);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  ASSERT_TRUE((*trainer)->Run([](const IterationReport&) { return true; }).ok());
  const policy::PolicySpec spec = (*trainer)->Export("test");
  EXPECT_EQ(*TaskOfPackage(spec), "speed_track");
  const Evaluation want = *(*trainer)->Test(16, 3);
  TaskSpec task;
  for (const int threads : {1, 2}) {
    const auto got = EvaluatePackage(spec, "speed_track", TaskUse::kTest, 16, 3, threads, &task);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_NEAR(got->episode_return.mean, want.episode_return.mean,
                1e-4 * (1 + std::abs(want.episode_return.mean)));
    EXPECT_EQ(got->length.mean, want.length.mean);
  }
  EXPECT_EQ(task.name, "speed_track");
  EXPECT_FALSE(EvaluatePackage(spec, "wheelchair", TaskUse::kTest, 4, 3, 1, &task).ok());
  EXPECT_FALSE(EvaluatePackage(spec, "sailing", TaskUse::kTest, 4, 3, 1, &task).ok());
  policy::PolicySpec other = spec;
  other.training_record = "{}";
  EXPECT_FALSE(TaskOfPackage(other).ok());
}

}  // namespace
}  // namespace saferl::learn
