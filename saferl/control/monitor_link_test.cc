// The decision stream and the lease through shared memory.
#include "saferl/control/monitor_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "saferl/base/clock.h"
#include "saferl/control/shm.h"
#include "saferl/control/workload.h"

namespace saferl::control {
namespace {

using testing::HasSubstr;
using Got = MonitorLink::Got;

class MonitorLinkTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "link_" + std::to_string(getpid()) + ".shm";
    robot_ = *robot::LoadRobot("wheelchair");
    Create(FromSeconds(0.1));
  }
  void Create(std::optional<int64_t> lease_ns) {
    shm_ = nullptr;
    auto created = ShmEndpoint::Create(path_, *robot_, lease_ns);
    ASSERT_TRUE(created.ok()) << created.status();
    shm_ = *std::move(created);
  }
  bool LeaseAt(int64_t now_ns) {
    TickInput input;
    shm_->Read(now_ns, &input);
    return input.lease_ok;
  }
  bool StopAt(int64_t now_ns) {
    TickInput input;
    shm_->Read(now_ns, &input);
    return input.stop_requested;
  }
  void Write(uint64_t sequence) {
    decision_->input.sequence = sequence;
    decision_->command.sequence = sequence;
    decision_->command.u[0] = static_cast<double>(sequence);
    shm_->Write(*decision_);
  }

  std::string path_;
  std::shared_ptr<const robot::RobotModel> robot_;
  std::unique_ptr<ShmEndpoint> shm_;
  std::unique_ptr<Decision> decision_ = std::make_unique<Decision>();
};

TEST_F(MonitorLinkTest, EveryDecisionComesOnceAndWhole) {
  const auto link = *MonitorLink::Attach(path_);
  EXPECT_EQ(link->robot(), "wheelchair");
  EXPECT_EQ(link->period_ns(), 20'000'000);
  const auto model = *MakeBenchModel("wheelchair", false);
  const auto data = Prepare(model);
  Workload workload(robot_);
  auto seen = std::make_unique<Decision>();
  EXPECT_EQ(link->Next(seen.get()), Got::kNothing);
  for (int k = 0; k < 2000; ++k) {
    Tick(model, workload.Next(), data.get(), decision_.get());
    workload.Apply(decision_->command);
    shm_->Write(*decision_);
    ASSERT_EQ(link->Next(seen.get()), Got::kDecision);
    ASSERT_EQ(std::memcmp(&seen->input.observation, &decision_->input.observation,
                          sizeof seen->input.observation),
              0);
    EXPECT_EQ(seen->input.now_ns, decision_->input.now_ns);
    EXPECT_EQ(seen->input.human.u, decision_->input.human.u);
    EXPECT_EQ(seen->input.human.enabled, decision_->input.human.enabled);
    EXPECT_EQ(seen->command.u, decision_->command.u);
    EXPECT_EQ(seen->command.mode, decision_->command.mode);
    EXPECT_EQ(seen->command.reason, decision_->command.reason);
    EXPECT_EQ(seen->command.valid_for_ns, decision_->command.valid_for_ns);
    EXPECT_EQ(seen->filter.proof, decision_->filter.proof);
    EXPECT_EQ(seen->filter.intervened, decision_->filter.intervened);
  }
  EXPECT_EQ(link->Next(seen.get()), Got::kNothing);
  EXPECT_EQ(link->lost(), 0U);
}

TEST_F(MonitorLinkTest, AReaderThatFallsBehindIsToldHowMuchItMissed) {
  const auto link = *MonitorLink::Attach(path_);
  for (uint64_t k = 1; k <= 2000; ++k) Write(k);
  auto seen = std::make_unique<Decision>();
  ASSERT_EQ(link->Next(seen.get()), Got::kLost);
  const uint64_t lost = link->lost();
  EXPECT_GT(lost, 2000U - SAFERL_STREAM_SLOTS);
  for (uint64_t k = lost + 1; k <= 2000; ++k) {
    ASSERT_EQ(link->Next(seen.get()), Got::kDecision);
    EXPECT_EQ(seen->input.sequence, k);
  }
  EXPECT_EQ(link->Next(seen.get()), Got::kNothing);
  EXPECT_EQ(link->lost(), lost);
}

TEST_F(MonitorLinkTest, AWriterAtFullSpeedNeverGivesATornDecision) {
  const auto link = *MonitorLink::Attach(path_);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (uint64_t k = 1; k <= 50'000; ++k) Write(k);
    done = true;
  });
  auto seen = std::make_unique<Decision>();
  uint64_t last = 0, got = 0;
  while (true) {
    const bool ended = done;
    const Got result = link->Next(seen.get());
    if (result == Got::kNothing && ended) break;
    if (result != Got::kDecision) continue;
    ++got;
    ASSERT_GT(seen->input.sequence, last);
    last = seen->input.sequence;
    ASSERT_EQ(seen->command.u[0], static_cast<double>(last));  // of one and the same decision
    ASSERT_EQ(seen->command.sequence, last);
  }
  writer.join();
  EXPECT_EQ(got + link->lost(), 50'000U);
  EXPECT_EQ(last, 50'000U);
}

TEST_F(MonitorLinkTest, TheLeaseHoldsWhileItIsRenewedAndNoLonger) {
  const auto link = *MonitorLink::Attach(path_);
  const int64_t t = 10 * kNanosPerSecond, most = FromSeconds(0.1);
  EXPECT_FALSE(LeaseAt(t)) << "never granted";
  link->Grant(t, t + most / 2);
  EXPECT_TRUE(LeaseAt(t));
  EXPECT_TRUE(LeaseAt(t + most / 2));
  EXPECT_FALSE(LeaseAt(t + most / 2 + 1));
  link->Grant(t, INT64_MAX);  // a lease for ever holds for the robot's own lease_s
  EXPECT_TRUE(LeaseAt(t + most));
  EXPECT_FALSE(LeaseAt(t + most + 1));
  link->Grant(t + 10 * most, INT64_MAX);  // and one of the future not at all
  EXPECT_FALSE(LeaseAt(t + most));
  link->Grant(INT64_MIN, INT64_MAX);  // nor one as old as can be
  EXPECT_FALSE(LeaseAt(t));
  link->Grant(t, t + most);
  link->Stop(t + 1);
  EXPECT_FALSE(LeaseAt(t + 2));
  EXPECT_TRUE(StopAt(t + 2));
}

TEST_F(MonitorLinkTest, OnlyTheWordOffMovesWithoutALease) {
  Create(std::nullopt);
  EXPECT_TRUE(LeaseAt(kNanosPerSecond));
}

TEST_F(MonitorLinkTest, ASecondMonitorStandsByUntilTheFirstIsGone) {
  auto first = *MonitorLink::Attach(path_);
  const auto second = MonitorLink::Attach(path_);
  EXPECT_THAT(second.status().ToString(), HasSubstr("another safety monitor"));
  first = nullptr;
  EXPECT_TRUE(MonitorLink::Attach(path_).ok());
}

TEST_F(MonitorLinkTest, ItKnowsWhenTheRobotsProgramWasReplaced) {
  const auto link = *MonitorLink::Attach(path_);
  EXPECT_FALSE(link->Gone());
  shm_ = nullptr;
  EXPECT_TRUE(link->Gone());
  Create(std::nullopt);
  EXPECT_TRUE(link->Gone());
  EXPECT_THAT(MonitorLink::Attach(path_ + "x").status().ToString(), HasSubstr(path_ + "x"));
}

}  // namespace
}  // namespace saferl::control
