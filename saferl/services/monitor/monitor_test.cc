// The monitor over a robot that drives: what it finds stops the robot, stays stopped through
// restarts, reaches people, and ends when a person says so. Its own death, by whatever signal, is a
// stop at the robot within the lease.
#include "saferl/services/monitor/monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/control/rt_program.h"
#include "saferl/services/monitor/testing/robot.h"

namespace saferl::services {
namespace {

using control::Decision;
using monitor_testing::kLease_s;
using monitor_testing::Robot;
using monitor_testing::WaitFor;
using safety::Mode;
using safety::Reason;
using ::testing::HasSubstr;

class Process {
 public:
  explicit Process(const std::function<void()>& body) : pid_(fork()) {
    if (pid_ != 0) return;
    body();
    _exit(0);
  }
  ~Process() { End(SIGKILL); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  void Send(int signal) { kill(pid_, signal); }
  int End(int signal) {
    if (pid_ <= 0) return 0;
    kill(pid_, signal);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_;
};

class MonitorTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "monitor_" + std::to_string(getpid()) + "_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    options_.shm = folder_ + "/robot.shm";
    options_.lease_s = kLease_s;
    options_.journal.folder = folder_ + "/journal";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Monitor> Start() {
    metrics_.push_back(std::make_unique<telemetry::Metrics>());
    auto monitor = Monitor::Start(options_, metrics_.back().get());
    EXPECT_TRUE(monitor.ok()) << monitor.status();
    return monitor.ok() ? *std::move(monitor) : nullptr;
  }
  std::vector<std::string> Kinds() {
    std::vector<std::string> kinds;
    const JournalReport report = ReadJournal(
        options_.journal.folder, [&](const JournalEntry& e) { kinds.push_back(e.kind); });
    EXPECT_TRUE(report.problem.ok()) << report.problem;
    return kinds;
  }

  std::string folder_;
  MonitorOptions options_;
  std::vector<std::unique_ptr<telemetry::Metrics>> metrics_;
};

TEST_F(MonitorTest, TheRobotMovesOnlyOnceItIsWatched) {
  Robot robot(options_.shm);
  for (int k = 0; k < 100; ++k) {
    const Decision& d = robot.Step();
    ASSERT_GE(d.command.mode, Mode::kControlledStop);
    ASSERT_EQ(d.command.u[0], 0);
  }
  const auto monitor = Start();
  EXPECT_TRUE(robot.Drive());
  const MonitorState state = monitor->state();
  EXPECT_EQ(state.robot, "wheelchair");
  EXPECT_TRUE(state.granting && state.settled && !state.latched);
  EXPECT_EQ(monitor->alerts().active(), 0U);
  const std::string text = metrics_[0]->Text();
  EXPECT_EQ(text.find("saferl_control_jitter_seconds_count 0\n"), std::string::npos);
  EXPECT_NE(text.find("saferl_control_jitter_seconds_count "), std::string::npos);
}

TEST_F(MonitorTest, AFindingStopsTheRobotUntilAPersonClearsItEvenThroughARestart) {
  Robot robot(options_.shm);
  auto monitor = Start();
  ASSERT_TRUE(robot.Drive());
  robot.Step([](Decision* d) { d->command.u[0] += 0.5; });  // a jump
  EXPECT_TRUE(robot.StepUntil(
      [](const Decision& d) { return d.command.reason == Reason::kStopRequested; }));
  ASSERT_TRUE(robot.StepUntil([](const Decision& d) { return d.command.u[0] == 0; }));
  EXPECT_TRUE(WaitFor([&] { return monitor->state().latched; }));
  EXPECT_THAT(monitor->state().why, HasSubstr("\"rate\""));
  EXPECT_EQ(monitor->alerts().List()[0].name, AlertName::kSafetyViolation);

  monitor = nullptr;
  monitor = Start();
  EXPECT_TRUE(monitor->state().latched);
  EXPECT_EQ(monitor->alerts().active(), 1U);
  for (int k = 0; k < 200; ++k) ASSERT_GE(robot.Step().command.mode, Mode::kControlledStop);

  EXPECT_THAT(monitor->Clear("", "r").ToString(), HasSubstr("operator"));
  EXPECT_THAT(monitor->Clear("A. Operator", "").ToString(), HasSubstr("reason"));
  EXPECT_TRUE(monitor->state().latched);
  ASSERT_TRUE(monitor->Clear("A. Operator", "looked at it").ok());
  EXPECT_TRUE(robot.Drive()) << monitor->state().why;
  EXPECT_EQ(monitor->alerts().active(), 0U);
  EXPECT_THAT(monitor->Clear("A. Operator", "again").ToString(), HasSubstr("nothing is latched"));
  monitor = nullptr;
  const std::vector<std::string> kinds = Kinds();
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "latch"), 1);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "clear"), 1);
}

TEST_F(MonitorTest, DecisionsThatNobodySawStopTheRobot) {
  Robot robot(options_.shm);
  const auto monitor = Start();
  ASSERT_TRUE(robot.Drive());
  robot.Step([](Decision* d) { d->input.sequence += 3; });
  EXPECT_TRUE(
      robot.StepUntil([](const Decision& d) { return d.command.mode == Mode::kProtectiveStop; }));
  EXPECT_THAT(monitor->state().why, HasSubstr("\"sequence\""));
}

TEST_F(MonitorTest, ASilentRobotRaisesAnAlertThatEndsWhenItSpeaks) {
  auto robot = std::make_unique<Robot>(options_.shm);
  const auto monitor = Start();
  ASSERT_TRUE(robot->Drive());
  MonitorState silent;
  EXPECT_TRUE(WaitFor([&] { return (silent = monitor->state()).silent; }));
  EXPECT_FALSE(silent.granting);
  ASSERT_TRUE(WaitFor([&] { return monitor->alerts().active() == 1; }));
  EXPECT_EQ(monitor->alerts().List()[0].name, AlertName::kSystemFailure);
  EXPECT_TRUE(robot->Drive()) << "silence alone does not latch";
  EXPECT_TRUE(WaitFor([&] { return robot->Step(), monitor->alerts().active() == 0; }));
  robot = nullptr;  // its program ends, and another one starts
  EXPECT_TRUE(WaitFor([&] { return !monitor->state().attached; }));
  robot = std::make_unique<Robot>(options_.shm);
  EXPECT_TRUE(robot->Drive());
}

TEST_F(MonitorTest, APersonsOrderStopsTheRobot) {
  Robot robot(options_.shm);
  const auto monitor = Start();
  ASSERT_TRUE(robot.Drive());
  EXPECT_FALSE(monitor->OrderStop("", "").ok());
  ASSERT_TRUE(monitor->OrderStop("A. Operator", "smoke").ok());
  EXPECT_TRUE(robot.StepUntil(
      [](const Decision& d) { return d.command.reason == Reason::kStopRequested; }));
  EXPECT_TRUE(robot.StepUntil([](const Decision& d) { return d.command.u[0] == 0; }));
  ASSERT_TRUE(monitor->Clear("A. Operator", "aired").ok());
  EXPECT_TRUE(robot.Drive());
}

/// No file can grow any more, as on a full disk.
class FullDisk {
 public:
  FullDisk() : old_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &limit_);
    const rlimit none{1, limit_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &none);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &limit_);
    signal(SIGXFSZ, old_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  void (*old_)(int);
  rlimit limit_{};
};

TEST_F(MonitorTest, AFullDiskUnderTheJournalStopsTheRobotAndSaysWhy) {
  options_.checkpoint_s = 0.1;  // something to write
  Robot robot(options_.shm);
  const auto monitor = Start();
  ASSERT_TRUE(robot.Drive());
  EXPECT_EQ(monitor->state().withheld, "");
  {
    const FullDisk full;
    EXPECT_TRUE(robot.StepUntil([](const Decision& d) {
      return d.command.reason == Reason::kMonitorLost && d.command.u[0] == 0;
    }));
    const MonitorState state = monitor->state();
    EXPECT_FALSE(state.granting);
    EXPECT_FALSE(state.latched) << "room on the disk is enough to go on";
    EXPECT_THAT(state.withheld, HasSubstr("the journal cannot be written: "));
    EXPECT_THAT(state.withheld, HasSubstr(options_.journal.folder));
    const Alert alert = monitor->alerts().List().at(0);
    EXPECT_EQ(alert.name, AlertName::kSystemFailure);
    EXPECT_EQ(alert.labels.at("component"), "journal");
  }
  EXPECT_TRUE(robot.Drive()) << "there is room again";
}

TEST_F(MonitorTest, SafetyCountersAreThereAtZeroFromTheStart) {
  const auto monitor = Start();
  const std::string text = metrics_[0]->Text();
  for (size_t i = 0; i < kChecks; ++i) {
    const std::string series = Cat("\nsaferl_safety_violations_total{arm=\"stable\",constraint=\"",
                                   Name(static_cast<Check>(i)), "\",severity=\"critical\"} 0\n");
    EXPECT_NE(text.find(series), std::string::npos) << series;
  }
  EXPECT_NE(text.find("\nsaferl_monitor_latched 0\n"), std::string::npos);
}

/// saferl_rt, a driver and the monitor, each a process of its own, in real time.
class MonitorDeathTest : public MonitorTest {
 protected:
  void SetUp() override {
    MonitorTest::SetUp();
    const std::string config = folder_ + "/rt.yaml";
    std::ofstream(config) << "robot: wheelchair\nshm: " << options_.shm
                          << "\npacing: robot\nlease_s: " << kLease_s
                          << "\nrealtime: {fifo: off, lock_memory: off}\n";
    rt_ = std::make_unique<Process>([&] {
      (void)!freopen("/dev/null", "w", stdout);
      std::string words[] = {"saferl_rt", "--config", config};
      char* argv[] = {words[0].data(), words[1].data(), words[2].data()};
      _exit(control::RunRtProgram(3, argv));
    });
    ASSERT_TRUE(WaitFor([&] {
      shm_ = saferl_shm_attach(options_.shm.c_str());
      return shm_ != nullptr;
    }));
    driver_ = std::make_unique<Process>([&] { DriveForEver(); });
    StartMonitor();
  }
  void TearDown() override {
    monitor_ = nullptr;
    driver_ = nullptr;
    rt_ = nullptr;
    if (shm_ != nullptr) munmap(shm_, sizeof *shm_);
    MonitorTest::TearDown();
  }
  void StartMonitor() {
    monitor_ = std::make_unique<Process>([&] {
      telemetry::Metrics metrics;
      const auto monitor = Monitor::Start(options_, &metrics);
      if (!monitor.ok()) _exit(1);
      while (true) pause();
    });
  }
  /// The robot's sensors and motors, and a person who wants to go on.
  [[noreturn]] void DriveForEver() {
    saferl_shm* shm = saferl_shm_attach(options_.shm.c_str());
    saferl_observation o{};
    saferl_human human{};
    saferl_command command{};
    o.n_lidar = 24;
    for (float& range : o.lidar_m) range = INFINITY;
    while (true) {
      SAFERL_GET(shm, command, &command);
      for (int i = 0; i < 2; ++i) o.qd[i] = command.u[i];
      o.q[0] += 0.02 * o.qd[0] * std::cos(o.q[2]);
      o.q[1] += 0.02 * o.qd[0] * std::sin(o.q[2]);
      o.q[2] += 0.02 * o.qd[1];
      human.stamp_ns = o.stamp_ns = o.state_stamp_ns = o.people_stamp_ns = o.lidar_stamp_ns =
          Nanos();
      human.u[0] = 0.4;
      human.u[1] = 0.2;
      human.enabled = 1;
      human.acknowledge = static_cast<uint8_t>(++human.sequence / 25 % 2);
      SAFERL_PUT(shm, human, &human);
      ++o.sequence;
      SAFERL_PUT(shm, observation, &o);
      usleep(20'000);
    }
  }
  saferl_command Command() {
    saferl_command command{};
    SAFERL_GET(shm_, command, &command);
    return command;
  }
  bool Moves() {
    return WaitFor([this] { return Command().mode == SAFERL_NOMINAL && Command().u[0] > 0.2; });
  }
  /// Every command from the second one on that is later than `from_ns` + the lease is a stop. The
  /// first may have looked at the lease just before it ended.
  void ExpectStoppedWithinTheLease(int64_t from_ns) {
    const int64_t over_ns = from_ns + FromSeconds(kLease_s);
    uint64_t first = 0, last = 0, seen = 0;
    ASSERT_TRUE(WaitFor([&] {
      const saferl_command command = Command();
      if (command.issued_ns <= over_ns || command.sequence == last) return false;
      last = command.sequence;
      if (first == 0) first = last;
      if (last == first) return false;
      EXPECT_GE(command.mode, SAFERL_CONTROLLED_STOP) << "command " << last;
      // A busy machine gives reasons of its own to stop, such as a stale state.
      seen += command.reason == static_cast<uint8_t>(Reason::kMonitorLost) ? 1 : 0;
      return seen >= 40;
    })) << "last for reason "
        << int{Command().reason};
    EXPECT_EQ(Command().u[0], 0) << "it rests";
  }

  saferl_shm* shm_ = nullptr;
  std::unique_ptr<Process> rt_, driver_, monitor_;
};

TEST_F(MonitorDeathTest, KillIsAStopWithinTheLeaseAndANewMonitorGoesOn) {
  ASSERT_TRUE(Moves());
  monitor_->End(SIGKILL);
  ExpectStoppedWithinTheLease(Nanos());
  StartMonitor();
  EXPECT_TRUE(Moves()) << "mode " << int{Command().mode} << " reason " << int{Command().reason};
}

TEST_F(MonitorDeathTest, SuspensionIsAStopWithinTheLease) {
  ASSERT_TRUE(Moves());
  monitor_->Send(SIGSTOP);
  ExpectStoppedWithinTheLease(Nanos());
  monitor_->Send(SIGCONT);  // it has seen the stop afterwards, in full: nothing is latched
  EXPECT_TRUE(Moves()) << "mode " << int{Command().mode} << " reason " << int{Command().reason};
}

TEST_F(MonitorDeathTest, AStandbyTakesOver) {
  ASSERT_TRUE(Moves());
  MonitorOptions second = options_;
  second.journal.folder += "_2";
  telemetry::Metrics metrics;
  const auto standby = *Monitor::Start(second, &metrics);
  usleep(300'000);
  EXPECT_FALSE(standby->state().attached);
  monitor_->End(SIGKILL);
  EXPECT_TRUE(WaitFor([&] { return standby->state().granting; }));
  EXPECT_TRUE(Moves());
}

}  // namespace
}  // namespace saferl::services
