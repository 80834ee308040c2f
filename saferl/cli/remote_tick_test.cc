// Simulated robots with sensor noise against a service in this process, while a rollout is on.
#include "saferl/cli/remote_tick.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/control/workload.h"
#include "saferl/policy/package.h"
#include "saferl/registry/rollouts_store.h"
#include "saferl/services/app.h"
#include "saferl/sim/drive.h"

namespace saferl::cli {
namespace {

class RemoteTickTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(folder_);
    services::ServiceConfig config;
    config.data_dir = folder_;
    config.api.port = config.inference_server.port = config.monitor_server.port = 0;
    config.rollouts.look_s = 0.02;
    auto started = services::App::Start(config, {"0.1.0", "abc"}, {});
    ASSERT_TRUE(started.ok()) << started.status();
    app_ = *std::move(started);
    auto model = sim::MakeDriveModel("wheelchair", nullptr);
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
  }
  ~RemoteTickTest() override {
    app_ = nullptr;
    std::filesystem::remove_all(folder_);
  }
  registry::Version Push(uint64_t seed) {
    const auto policy = control::MakeBenchPolicy(model_.tick->safety->robot, 16, seed);
    const auto pushed = app_->registry().Push(
        {.model = "chair", .package = *policy::EncodePackage((*policy)->spec()), .who = "ann"});
    EXPECT_TRUE(pushed.ok()) << pushed.status();
    return pushed->version;
  }
  RemoteTick Robot(const std::string& id, const std::string& model, double stand_s) {
    return {Cat("http://127.0.0.1:", app_->inference_port()), id, model, stand_s,
            model_.tick->safety->robot};
  }
  StatusOr<sim::DriveResult> Drive(RemoteTick* there) {
    sim::DriveOptions options;
    options.physics = sim::Physics::kClosedForm;
    options.seed = 1;
    options.max_time_s = 10;
    if (there != nullptr) {
      options.decide = [there](const control::TickInput& input, control::Decision* decision) {
        return there->Decide(input, decision);
      };
    }
    return sim::Drive(model_, options);
  }

  const std::string folder_ =
      (std::filesystem::temp_directory_path() / Cat("saferl_remote_", ::getpid())).string();
  std::unique_ptr<services::App> app_;
  sim::DriveModel model_;
};

TEST_F(RemoteTickTest, ADriveThereIsTheDriveHere) {
  RemoteTick there = Robot("a", "", 0);
  const auto far = Drive(&there), here = Drive(nullptr);
  ASSERT_TRUE(far.ok()) << far.status();
  EXPECT_GT(far->travelled_m, 1);
  EXPECT_EQ(far->travelled_m, here->travelled_m);
  EXPECT_EQ(far->interventions, here->interventions);
  EXPECT_EQ(far->mode_ticks, here->mode_ticks);
  EXPECT_EQ(far->unproved_moving_ticks, 0);
  EXPECT_EQ(there.version(), "");
}

TEST_F(RemoteTickTest, ARobotWhoseSensorsAreNoisyIsSeatedWhileItStands) {
  Push(1);
  const registry::Version next = Push(2);
  ASSERT_TRUE(app_->registry().SetAlias("chair", "champion", 1, "ann").ok());
  registry::RolloutPlan plan;
  plan.steps = {1};
  plan.shadow_first = false;
  plan.approvals = 0;
  ASSERT_TRUE(registry::RolloutStore(&app_->registry()).Start(next, plan, "bob").ok());
  for (const Deadline end = Deadline::After(30 * kNanosPerSecond);
       app_->models().Find("chair", "2") == nullptr && !end.Passed();) {
    std::this_thread::yield();  // services follow the registry
  }
  // It stands until its lease has come; a busy machine takes longer.
  std::string version;
  for (int attempt = 0; attempt < 20 && version != "2"; ++attempt) {
    RemoteTick there = Robot(Cat("noisy-", attempt), "chair", 0.5);
    const auto drive = Drive(&there);
    ASSERT_TRUE(drive.ok()) << drive.status();
    EXPECT_EQ(drive->collision, sim::Hit::kNothing);
    version = there.version();
  }
  EXPECT_EQ(version, "2");
}

TEST_F(RemoteTickTest, WhatTheServiceRefusesIsSaid) {
  RemoteTick unknown = Robot("b", "nobody", 0);
  const auto drive = Drive(&unknown);
  EXPECT_EQ(drive.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(drive.status().message().find("nobody"), std::string::npos) << drive.status();
  RemoteTick nowhere("http://127.0.0.1:1", "c", "", 0, model_.tick->safety->robot);
  EXPECT_EQ(Drive(&nowhere).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace saferl::cli
