#include "saferl/learn/trainer.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"
#include "saferl/base/file.h"
#include "saferl/learn/tasks/speed_track.h"
#include "saferl/policy/half.h"

namespace saferl::learn {
namespace {

TrainConfig TrackConfig(AlgorithmId algorithm, int iterations) {
  TrainConfig config;
  config.task = "speed_track";
  config.algorithm = algorithm;
  config.iterations = iterations;
  config.threads = 1;
  config.n_envs = 20;  // one full group of copies and a part of one
  config.rollout_steps = 100;
  config.hidden = {32, 32};
  config.ppo.minibatch = 500;
  config.cpo.minibatch = 500;
  config.evaluation_episodes = 32;
  config.evaluation_every = std::min(10, iterations);
  return config;
}

std::unique_ptr<Trainer> Make(const TrainConfig& config) {
  auto trainer = Trainer::Create(config);
  EXPECT_TRUE(trainer.ok()) << trainer.status();
  return *std::move(trainer);
}

std::string TempPath(const std::string& name) {
  return ::testing::TempDir() + "saferl_learn_" + name;
}

class Constrained : public ::testing::TestWithParam<AlgorithmId> {};
INSTANTIATE_TEST_SUITE_P(Algorithms, Constrained,
                         ::testing::Values(AlgorithmId::kPpoPid, AlgorithmId::kCpo),
                         [](const auto& test) { return Name(test.param); });

TEST_P(Constrained, KeepsTwoLimitsAndComesNearTheBestReturnThatTheyAllow) {
  TrainConfig config = TrackConfig(GetParam(), 100);
  config.cost_limits = {1.25, 0.8};
  const auto trainer = Make(config);
  ASSERT_TRUE(trainer->Run(nullptr).ok());
  const auto result = trainer->Test(200, 7);
  ASSERT_TRUE(result.ok());
  const double best = SpeedTrack::BestReturn(1.25, 0.8);
  EXPECT_LE(result->cost[0].mean, 1.25);
  EXPECT_LE(result->cost[1].mean, 0.8);
  EXPECT_GE(result->episode_return.mean, 0.85 * best);
  EXPECT_LE(result->episode_return.mean, 1.001 * best)
      << "more than possible: the task or the costs are wrong";
}

TEST_P(Constrained, ALimitOfExactlyZeroStaysFiniteAndDrivesTheCostDown) {
  TrainConfig config = TrackConfig(GetParam(), 100);
  config.cost_limits = {0.0, 0.8};
  const auto trainer = Make(config);
  ASSERT_TRUE(trainer->Run(nullptr).ok());
  for (const float p : trainer->learner().actor_params) ASSERT_TRUE(std::isfinite(p));
  const auto result = trainer->Test(50, 7);
  ASSERT_TRUE(result.ok());
  EXPECT_LT(result->cost[0].mean, 0.4);  // a drive at random costs 1.25 and more, full speed 5
}

TEST_P(Constrained, TheCostWithoutExploringIsBroughtToItsShareOfTheLimit) {
  // Exploring episodes cost something else than those that count: the latter come to the share.
  TrainConfig config = TrackConfig(GetParam(), 120);
  config.cost_limits = {1.25, 0.8};
  config.limit_share = 0.7;
  config.ppo.entropy_weight = 0.1;  // keeps exploring to the end
  const auto trainer = Make(config);
  Evaluation last;
  ASSERT_TRUE(trainer
                  ->Run([&](const IterationReport& report) {
                    last = report.check;
                    return true;
                  })
                  .ok());
  EXPECT_NEAR(last.cost[0].high, 0.7 * 1.25, 0.15 * 1.25);
  EXPECT_NEAR(last.cost[1].high, 0.7 * 0.8, 0.15 * 0.8);
}

TEST(Ppo, WithoutAPriceTakesTheRewardAndBreaksTheLimits) {
  const auto trainer = Make(TrackConfig(AlgorithmId::kPpo, 60));
  ASSERT_TRUE(trainer->Run(nullptr).ok());
  // The policy of the last iteration, not the one that was chosen for keeping the limits.
  const auto task = MakeTask("speed_track", Rollout::kGroup, TaskUse::kTest);
  const Evaluation result =
      Evaluate(trainer->learner().policy(), trainer->learner().actor_params, trainer->normaliser(),
               50, 7, &trainer->learner().parallel(), task->get());
  EXPECT_GT(result.cost[0].mean, 2.5);
  EXPECT_GT(result.episode_return.mean, SpeedTrack::BestReturn(1.25, 1.25));
}

class EveryAlgorithm : public ::testing::TestWithParam<AlgorithmId> {};
INSTANTIATE_TEST_SUITE_P(Algorithms, EveryAlgorithm,
                         ::testing::Values(AlgorithmId::kPpo, AlgorithmId::kPpoPid,
                                           AlgorithmId::kCpo),
                         [](const auto& test) { return Name(test.param); });

TEST_P(EveryAlgorithm, SameSeedSameBitsAtAnyThreadCount) {
  std::vector<float> first;
  for (const int threads : {1, 2, 3}) {
    TrainConfig config = TrackConfig(GetParam(), 4);
    config.threads = threads;
    const auto trainer = Make(config);
    ASSERT_TRUE(trainer->Run(nullptr).ok());
    if (first.empty()) first = trainer->learner().actor_params;
    EXPECT_EQ(first, trainer->learner().actor_params) << threads << " threads";
  }
  TrainConfig other = TrackConfig(GetParam(), 4);
  other.seed = 2;
  const auto trainer = Make(other);
  ASSERT_TRUE(trainer->Run(nullptr).ok());
  EXPECT_NE(first, trainer->learner().actor_params);
}

TEST_P(EveryAlgorithm, ResumedRunIsBitEqualToOneThatNeverStopped) {
  const TrainConfig config = TrackConfig(GetParam(), 6);
  const auto straight = Make(config);
  ASSERT_TRUE(straight->Run(nullptr).ok());
  const std::string half = TempPath("half"), end_a = TempPath("a"), end_b = TempPath("b");
  {
    const auto first = Make(config);
    for (int i = 0; i < 3; ++i) first->Iterate();
    ASSERT_TRUE(first->SaveCheckpoint(half).ok());
  }
  TrainConfig more_threads = config;
  more_threads.threads = 2;
  const auto resumed = Make(more_threads);
  const Status loaded = resumed->LoadCheckpoint(half);
  ASSERT_TRUE(loaded.ok()) << loaded;
  ASSERT_TRUE(resumed->Run(nullptr).ok());
  ASSERT_TRUE(straight->SaveCheckpoint(end_a).ok());
  ASSERT_TRUE(resumed->SaveCheckpoint(end_b).ok());
  EXPECT_EQ(*ReadFile(end_a), *ReadFile(end_b));
}

TEST(Checkpoint, RefusesOtherRunsAndDamagedBytes) {
  const auto trainer = Make(TrackConfig(AlgorithmId::kPpo, 2));
  trainer->Iterate();
  const std::string path = TempPath("refuse");
  ASSERT_TRUE(trainer->SaveCheckpoint(path).ok());
  TrainConfig other = TrackConfig(AlgorithmId::kPpo, 2);
  other.seed = 9;
  const Status refused = Make(other)->LoadCheckpoint(path);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(refused.ToString().find("seed: 9"), std::string::npos) << refused;

  std::string bytes = *ReadFile(path);
  for (const size_t cut : {size_t{0}, size_t{5}, size_t{60}, bytes.size() / 2, bytes.size() - 1}) {
    ASSERT_TRUE(WriteFileAtomic(path, bytes.substr(0, cut)).ok());
    EXPECT_FALSE(Make(TrackConfig(AlgorithmId::kPpo, 2))->LoadCheckpoint(path).ok()) << cut;
  }
  bytes[bytes.size() / 3] = static_cast<char>(bytes[bytes.size() / 3] ^ 1);
  ASSERT_TRUE(WriteFileAtomic(path, bytes).ok());
  EXPECT_FALSE(Make(TrackConfig(AlgorithmId::kPpo, 2))->LoadCheckpoint(path).ok());
}

TEST(TrainConfig, ReadsBackWhatItPrintsAndNamesMistakes) {
  TrainConfig config = TrackConfig(AlgorithmId::kCpo, 12);
  config.cost_limits = {0.0, 3.5};
  const auto again = ReadTrainConfig(PrintTrainConfig(config), "printed");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(PrintTrainConfig(*again), PrintTrainConfig(config));
  const auto bad = ReadTrainConfig("iteratons: 3\n", "run.yaml");
  EXPECT_NE(bad.status().ToString().find("iterations"), std::string::npos) << bad.status();
  EXPECT_FALSE(ReadTrainConfig("algorithm: cpo\npenalty: [1]\n", "run.yaml").ok());
  TrainConfig three = TrackConfig(AlgorithmId::kPpo, 1);
  three.cost_limits = {1, 2, 3};
  EXPECT_FALSE(Trainer::Create(three).ok());
  three.cost_limits = {};
  three.task = "nothing";
  EXPECT_FALSE(Trainer::Create(three).ok());
}

TEST(Trainer, EveryTaskExportsAPackageThatLoads) {
  for (const std::string& task : TaskNames()) {
    TrainConfig config = TrackConfig(AlgorithmId::kPpo, 1);
    config.task = task;
    const auto trainer = Make(config);
    trainer->Iterate();
    const std::string path = TempPath(task + ".policy");
    const Status saved = policy::SavePackage(trainer->Export(task), path);
    ASSERT_TRUE(saved.ok()) << task << ": " << saved;
    EXPECT_TRUE(policy::LoadPolicy(path).ok()) << task;
  }
}

TEST(Trainer, WheelchairLearnsToReachGoalsAndExportsAPackageThatLoads) {
  TrainConfig config;
  config.threads = 2;
  config.n_envs = 32;
  config.iterations = 16;
  config.evaluation_episodes = 48;
  config.evaluation_every = 16;
  const auto trainer = Make(config);
  const double before = trainer->Test(32, 3)->episode_return.mean;
  ASSERT_TRUE(trainer->Run(nullptr).ok());
  EXPECT_GT(trainer->Test(32, 3)->episode_return.mean, before + 0.5);
  const std::string path = TempPath("wheelchair.policy");
  const Status saved = policy::SavePackage(trainer->Export("wheelchair"), path);
  ASSERT_TRUE(saved.ok()) << saved;
  const auto loaded = policy::LoadPolicy(path);  // recomputes the golden vectors
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  for (const policy::Layer& layer : (*loaded)->spec().layers)
    EXPECT_TRUE(std::ranges::all_of(layer.weight, policy::IsHalf));
  EXPECT_EQ((*loaded)->spec().golden_actions.size(), 8U);
  EXPECT_NE((*loaded)->spec().training_record.find("\"algorithm\":\"ppo_pid\""), std::string::npos);
}

TEST(Bootstrap, IntervalHoldsTheMeanAndShrinksWithMoreData) {
  Random random(2);
  std::vector<double> few(20), many(2000);
  for (double& v : few) v = random.Normal();
  for (double& v : many) v = random.Normal();
  const Estimate a = Bootstrap(few), b = Bootstrap(many);
  EXPECT_LE(a.low, a.mean);
  EXPECT_GE(a.high, a.mean);
  EXPECT_NEAR(b.high - b.low, 2 * 1.96 / std::sqrt(2000.0), 0.02);
  EXPECT_GT(a.high - a.low, 4 * (b.high - b.low));
}

}  // namespace
}  // namespace saferl::learn
