#include "saferl/control/rt_loop.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "saferl/base/clock.h"
#include "saferl/control/rt_config.h"
#include "saferl/control/tick_data.h"
#include "saferl/control/workload.h"

namespace saferl::control {
namespace {

/// A clock that only sleeping advances, and that oversleeps as told.
class FakeClock final : public LoopClock {
 public:
  int64_t Now() override { return now; }
  void SleepUntil(int64_t at_ns) override {
    wakes.push_back(at_ns);
    const size_t k = wakes.size() - 1;
    now = std::max(now, at_ns) + (k < oversleep.size() ? oversleep[k] : 0);
  }
  int64_t now = 1'000'000'000;
  void SpinUntil(int64_t at_ns) override { now = std::max(now, at_ns); }
  std::vector<int64_t> oversleep, wakes;
};

class WorkloadPorts final : public LoopPorts {
 public:
  WorkloadPorts(const std::shared_ptr<const robot::RobotModel>& robot, FakeClock* clock)
      : workload_(robot), clock_(clock) {}
  void Read(int64_t, TickInput* input) override {
    const uint64_t sequence = input->sequence;
    if (!silent) last_ = workload_.Next();
    *input = last_;
    input->sequence = sequence;
    if (silent) return;
    robot::Observation& o = input->observation;
    o.stamp_ns = o.robot.stamp_ns = o.people_stamp_ns = o.lidar_stamp_ns = input->human.stamp_ns =
        clock_->now;
    for (robot::HumanPart& part : o.parts) part.stamp_ns = clock_->now;
    last_ = *input;
  }
  void Write(const Decision& decision) override {
    workload_.Apply(decision.command);
    commands.push_back(decision.command);
  }
  /// The next observation comes at next_ns, and from then on every period_ns.
  uint64_t AwaitObservation(uint64_t seen, int64_t spin_ns, int64_t until_ns) override {
    if (seen != mark) return mark;
    const bool comes = !silent && next_ns <= until_ns;
    const int64_t from = clock_->now;
    clock_->now = std::max(clock_->now, comes ? next_ns : until_ns);
    spun_ns += std::min(spin_ns, clock_->now - from);
    if (!comes) return mark;
    next_ns = std::max(next_ns, clock_->now) + period_ns;
    return mark += 2;
  }
  std::vector<safety::Command> commands;
  bool silent = false;
  uint64_t mark = 0;
  int64_t next_ns = 1'000'000'000, period_ns = 20'000'000, spun_ns = 0;

 private:
  Workload workload_;
  TickInput last_;
  FakeClock* clock_;
};

class RtLoopTest : public testing::Test {
 protected:
  void SetUp() override {
    auto model = MakeBenchModel("wheelchair", false);
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *model;
    loop_.tick = &model_;
    loop_.period_ns = FromSeconds(model_.safety->robot->period_s());
    ports_ = std::make_unique<WorkloadPorts>(model_.safety->robot, &clock_);
  }
  void Run(uint64_t ticks) {
    loop_.max_ticks = ticks;
    const auto data = Prepare(model_);
    RunLoop(loop_, &clock_, ports_.get(), stop_, data.get(), &decision_, &stats_);
  }
  TickModel model_;
  LoopModel loop_;
  FakeClock clock_;
  std::unique_ptr<WorkloadPorts> ports_;
  std::atomic<bool> stop_{false};
  Decision decision_;
  LoopStats stats_;
};

TEST_F(RtLoopTest, WakesOnAFixedPhase) {
  Run(50);
  for (size_t k = 1; k < clock_.wakes.size(); ++k)
    EXPECT_EQ(clock_.wakes[k] - clock_.wakes[k - 1], loop_.period_ns);
  EXPECT_EQ(stats_.ticks, 50U);
  EXPECT_EQ(stats_.slips, 0U);
  EXPECT_EQ(decision_.command.mode, safety::Mode::kNominal);
}

TEST_F(RtLoopTest, ALateWakeUpIsNotMadeUpByRunningFast) {
  clock_.oversleep.assign(10, 0);
  clock_.oversleep[9] = loop_.period_ns * 7 / 2;  // three whole periods and a half
  Run(20);
  EXPECT_EQ(stats_.ticks, 20U);
  EXPECT_EQ(stats_.skipped_periods, 3U);
  EXPECT_EQ(stats_.slips, 1U);
  EXPECT_EQ(clock_.wakes[10] - clock_.wakes[9],
            4 * loop_.period_ns);  // the next phase point, none in between
  for (size_t k = 1; k < ports_->commands.size(); ++k)
    EXPECT_GE(ports_->commands[k].issued_ns - ports_->commands[k - 1].issued_ns,
              loop_.period_ns / 2);
  EXPECT_EQ(ports_->commands[9].reason, safety::Reason::kTickLate);
  EXPECT_EQ(ports_->commands[9].mode, safety::Mode::kControlledStop);
}

TEST_F(RtLoopTest, TwoSlipsInTheWindowStop) {
  clock_.oversleep.assign(20, 0);
  clock_.oversleep[10] = clock_.oversleep[15] = loop_.period_ns * 6 / 10;
  Run(17);
  EXPECT_EQ(stats_.slips, 2U);
  EXPECT_EQ(ports_->commands[10].mode, safety::Mode::kNominal);
  EXPECT_EQ(ports_->commands[15].reason, safety::Reason::kTickSlips);
  EXPECT_EQ(ports_->commands[15].mode, safety::Mode::kControlledStop);
}

TEST_F(RtLoopTest, RobotPacedItTicksOncePerObservationAndStopsOnSilence) {
  loop_.pacing = Pacing::kRobot;
  for (const int64_t early_ns : {0, 100'000}) {
    loop_.early_ns = early_ns;
    stats_ = {};
    ports_ = std::make_unique<WorkloadPorts>(model_.safety->robot, &clock_);
    ports_->next_ns = clock_.now;
    Run(10);
    EXPECT_EQ(stats_.ticks, 10U);
    EXPECT_EQ(stats_.slips, 0U);
    EXPECT_EQ(ports_->mark, 20U);
    EXPECT_EQ(decision_.command.mode, safety::Mode::kNominal);
    const int64_t fell_silent = clock_.now;
    ports_->silent = true;
    Run(30);
    EXPECT_GE(decision_.command.mode, safety::Mode::kControlledStop);
    EXPECT_EQ(clock_.now - fell_silent, 19 * 2 * loop_.period_ns)
        << "one tick for what is there when it starts, then every two periods";
  }
}

TEST_F(RtLoopTest, RobotPacedItSpinsOnlyAroundTheMomentThatIsDue) {
  loop_.pacing = Pacing::kRobot;
  loop_.early_ns = 100'000;
  Run(2);
  ports_->spun_ns = 0;
  Run(100);
  EXPECT_LE(ports_->spun_ns, 100 * loop_.early_ns) << "punctual: from 0.1 ms before on";
  EXPECT_GE(ports_->spun_ns, 95 * loop_.early_ns);
  ports_->period_ns += 1'000'000;
  ports_->spun_ns = 0;
  Run(200);
  EXPECT_LE(ports_->spun_ns, 101 * 2 * loop_.early_ns) << "late: until 0.1 ms after it was due";
  EXPECT_GE(ports_->spun_ns, 95 * 2 * loop_.early_ns);
  EXPECT_EQ(stats_.slips, 0U);
}

TEST_F(RtLoopTest, AwakeEarlyItTicksAtTheSameMomentsWithTheSameCommands) {
  Run(200);
  const std::vector<safety::Command> plain = ports_->commands;
  const int64_t took = clock_.now - 1'000'000'000;
  clock_ = {};
  stats_ = {};
  ports_ = std::make_unique<WorkloadPorts>(model_.safety->robot, &clock_);
  loop_.early_ns = 100'000;
  Run(200);
  EXPECT_EQ(clock_.now - 1'000'000'000, took);
  EXPECT_EQ(clock_.wakes[5] - clock_.wakes[4], loop_.period_ns);
  ASSERT_EQ(ports_->commands.size(), plain.size());
  for (size_t k = 0; k < plain.size(); ++k) {
    ASSERT_EQ(std::memcmp(&ports_->commands[k].u, &plain[k].u, sizeof plain[k].u), 0) << k;
    ASSERT_EQ(ports_->commands[k].issued_ns, plain[k].issued_ns) << k;
  }
  EXPECT_EQ(stats_.slips, 0U);
}

TEST_F(RtLoopTest, AStopFlagEndsIt) {
  stop_ = true;
  Run(0);
  EXPECT_EQ(stats_.ticks, 0U);
}

TEST(RtSettingsTest, RequireFailsWarnSaysSoOffDoesNothing) {
  RtSettings settings;
  settings.fifo = settings.lock_memory = Requirement::kOff;
  settings.affinity = Requirement::kOff;
  auto granted = ApplyRtSettings(settings);
  ASSERT_TRUE(granted.ok());
  EXPECT_EQ(granted->Text(), "scheduling ordinary, memory not locked, processor any");
  EXPECT_FALSE(granted->awake);
  settings.awake = Requirement::kRequire;
  granted = ApplyRtSettings(settings);
  if (access("/dev/cpu_dma_latency", W_OK) == 0) {
    ASSERT_TRUE(granted.ok()) << granted.status();
    EXPECT_TRUE(granted->awake);
  } else {
    EXPECT_EQ(granted.status().code(), absl::StatusCode::kPermissionDenied);
  }
  settings.awake = Requirement::kOff;
  settings.affinity = Requirement::kRequire;
  settings.processor = 100000;
  EXPECT_EQ(ApplyRtSettings(settings).status().code(), absl::StatusCode::kPermissionDenied);
  settings.affinity = Requirement::kWarn;
  granted = ApplyRtSettings(settings);
  ASSERT_TRUE(granted.ok());
  EXPECT_EQ(granted->warnings.size(), 1U);
}

TEST(RtSettingsTest, ProcessorsAreHeldAwakeForFastRobotsUnlessToldOtherwise) {
  const auto awake = [](Awake setting, int64_t period_ns) {
    return Settings({.awake = setting}, period_ns).awake;
  };
  EXPECT_EQ(RtRealtimeConfig().awake, Awake::kAuto);
  EXPECT_EQ(awake(Awake::kAuto, 1'000'000), Requirement::kWarn);
  EXPECT_EQ(awake(Awake::kAuto, 2'000'000), Requirement::kWarn);
  EXPECT_EQ(awake(Awake::kAuto, 20'000'000), Requirement::kOff);
  EXPECT_EQ(awake(Awake::kOff, 1'000'000), Requirement::kOff);
  EXPECT_EQ(awake(Awake::kWarn, 20'000'000), Requirement::kWarn);
  EXPECT_EQ(awake(Awake::kRequire, 20'000'000), Requirement::kRequire);
}

TEST(RtConfigTest, TheDocumentedExampleLoadsAndHoldsTheDefaults) {
  const auto config = LoadRtConfig(std::string(SAFERL_SOURCE_DIR) + "/data/config/saferl_rt.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  const RtConfig defaults;
  EXPECT_EQ(config->robot, defaults.robot);
  EXPECT_EQ(config->pacing, defaults.pacing);
  EXPECT_EQ(config->lease_s, defaults.lease_s);
  EXPECT_EQ(config->realtime.early_s, defaults.realtime.early_s);
  EXPECT_EQ(config->limits.max_human_age_s, defaults.limits.max_human_age_s);
  EXPECT_EQ(config->arbitration.authority_cap, defaults.arbitration.authority_cap);
  const auto model = MakeTickModel(*config);
  EXPECT_TRUE(model.ok()) << model.status();
}

TEST(TickModelTest, RefusesAPolicyForAnotherRobotAndNumbersOutOfRange) {
  const auto chair = *MakeBenchModel("wheelchair"), arm = *MakeBenchModel("arm7");
  EXPECT_FALSE(MakeTickModel(chair.safety, arm.policy).ok());
  EXPECT_FALSE(MakeTickModel(nullptr, nullptr).ok());
  TickModel model = chair;
  EXPECT_TRUE(Validate(model).ok());
  model.limits.max_human_age_ns = 0;
  EXPECT_FALSE(Validate(model).ok());
  model = chair;
  model.limits.max_state_age_ns = FromSeconds(10 * chair.safety->robot->state_age_s());
  EXPECT_FALSE(Validate(model).ok());
  model = chair;
  model.arbitration.authority_cap = 1.5;
  EXPECT_FALSE(Validate(model).ok());
  model = chair;
  model.intent.lookahead_s = 0;
  EXPECT_FALSE(Validate(model).ok());
}

}  // namespace
}  // namespace saferl::control
