#include "saferl/learn/closed_loop_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "saferl/learn/trainer.h"
#include "saferl/policy/quantise.h"
#include "saferl/policy/spec_builder.h"

namespace saferl::learn {
namespace {

using testing::HasSubstr;

std::shared_ptr<const policy::Policy> Made(policy::PolicySpec spec) {
  policy::MakeGoldenVectors(&spec, 4, 1);
  const auto made = policy::Policy::Create(std::move(spec));
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *made : nullptr;
}

/// A policy that has learned something, and its int8 package.
class ClosedLoopGateTest : public ::testing::Test {
 protected:
  void Train(const std::string& task, int iterations) {
    TrainConfig config;
    config.task = task;
    config.n_envs = 32;
    config.rollout_steps = 128;
    config.iterations = config.evaluation_every = iterations;
    config.evaluation_episodes = 8;
    config.threads = 1;
    const auto trainer = Trainer::Create(config);
    ASSERT_TRUE(trainer.ok()) << trainer.status();
    ASSERT_TRUE((*trainer)->Run([](const IterationReport&) { return true; }).ok());
    original_ = Made((*trainer)->Export("test"));
    const auto int8 = policy::Quantise(original_->spec(), 200, 4, 1);
    ASSERT_TRUE(int8.ok()) << int8.status();
    int8_ = *int8;
  }
  ClosedLoopReport Compare(policy::PolicySpec candidate, const ClosedLoopOptions& options) {
    const auto report = CompareClosedLoop(original_, Made(std::move(candidate)), options);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : ClosedLoopReport();
  }
  std::shared_ptr<const policy::Policy> original_;
  policy::PolicySpec int8_;
};

/// The mutant's int8 layer has scales of the wrong sign and size, in a package that verifies.
policy::PolicySpec MisScaled(policy::PolicySpec spec) {
  policy::Layer& layer = spec.layers[1];
  EXPECT_TRUE(layer.int8());
  for (int j = 0; j < layer.out; j += 2) {
    layer.weight_scale[static_cast<size_t>(j)] *= 8;
    for (int k = 0; k < layer.in; ++k) layer.weight[static_cast<size_t>(j * layer.in + k)] *= 8;
  }
  return spec;
}

TEST_F(ClosedLoopGateTest, AnInt8PackagePassesAndOneWithWrongScalesIsRefused) {
  Train("speed_track", 20);
  ClosedLoopOptions options;
  options.episodes = 64;
  options.drives = 0;
  const ClosedLoopReport good = Compare(int8_, options);
  EXPECT_TRUE(good.good()) << good.Text(options.most_loss);
  EXPECT_GE(good.difference.low, -0.02);
  EXPECT_LE(good.difference.high, 0.02);
  const ClosedLoopReport bad = Compare(MisScaled(int8_), options);
  EXPECT_FALSE(bad.return_holds) << bad.Text(options.most_loss);
  EXPECT_FALSE(bad.good());
  EXPECT_THAT(bad.Text(0.02), HasSubstr("NOT within -2 %"));
  // Deterministic at any number of threads, and paired: a package against itself differs nowhere.
  options.threads = 2;
  const ClosedLoopReport again = Compare(int8_, options);
  EXPECT_EQ(again.candidate.episode_return.mean, good.candidate.episode_return.mean);
  const ClosedLoopReport same = Compare(original_->spec(), options);
  EXPECT_EQ(same.difference.low, 0);
  EXPECT_EQ(same.difference.high, 0);
}

TEST_F(ClosedLoopGateTest, ASystemWithItsFilterBreaksNoPromiseWithEither) {
  Train("wheelchair", 1);
  ClosedLoopOptions options;
  options.episodes = 16;
  options.drives = 9;
  options.drive_s = 5;
  options.most_loss = 1;
  int steps = 0;
  options.progress = [&](int done) { steps = done; };
  const ClosedLoopReport report = Compare(int8_, options);
  EXPECT_EQ(steps, ClosedLoopSteps(options));
  EXPECT_TRUE(report.safe) << report.Text(options.most_loss);
  EXPECT_EQ(report.original.violations() + report.candidate.violations(), 0);
  EXPECT_GT(report.candidate.ticks, 9 * 100);
  EXPECT_GT(report.original.interventions, 0);
}

TEST_F(ClosedLoopGateTest, WhatCannotBeComparedIsAnErrorThatSaysWhy) {
  Train("speed_track", 1);
  ClosedLoopOptions options;
  options.drives = 0;
  options.episodes = 1;
  const auto code = [&](const policy::PolicySpec& candidate) {
    return CompareClosedLoop(original_, Made(candidate), options).status().code();
  };
  EXPECT_EQ(code(int8_), absl::StatusCode::kInvalidArgument);
  options.episodes = 2;
  EXPECT_EQ(code(int8_), absl::StatusCode::kOk);
  policy::PolicySpec scaled = int8_;
  scaled.action_scale[0] *= 2;
  EXPECT_EQ(code(scaled), absl::StatusCode::kInvalidArgument);
  options.task = "wheelchair";
  EXPECT_EQ(code(int8_), absl::StatusCode::kInvalidArgument);
  policy::PolicySpec nameless = original_->spec();
  nameless.training_record = "{}";
  options.task = "";
  const auto none = CompareClosedLoop(Made(nameless), Made(int8_), options);
  EXPECT_THAT(std::string(none.status().message()), HasSubstr("names no task"));
}

}  // namespace
}  // namespace saferl::learn
