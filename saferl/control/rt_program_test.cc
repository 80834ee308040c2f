// saferl_rt as a process of its own: fed through shared memory, with readers, drivers and itself
// killed.
#include "saferl/control/rt_program.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>

#include "saferl/base/clock.h"
#include "saferl/base/random.h"
#include "saferl/control/replay.h"
#include "saferl/control/rt_config.h"
#include "saferl/control/shm.h"
#include "saferl/control/workload.h"

namespace saferl::control {
namespace {

constexpr int64_t kPatience_ns = 30 * kNanosPerSecond;  // a loaded machine is slow, not broken

#ifdef SAFERL_COVERAGE
extern "C" void __gcov_dump();  // _exit() forgets what was counted
void Leave(int code) {
  __gcov_dump();
  _exit(code);
}
#else
void Leave(int code) { _exit(code); }
#endif

/// A child process that is ended when the test leaves: asked first, killed when it does not listen.
class Process {
 public:
  explicit Process(const std::function<void()>& body) {
    pid_ = fork();
    if (pid_ != 0) return;
    body();
    Leave(0);
  }
  ~Process() {
    if (pid_ <= 0) return;
    kill(pid_, SIGTERM);
    const Deadline deadline = Deadline::After(kPatience_ns);
    while (waitpid(pid_, nullptr, WNOHANG) == 0) {
      if (deadline.Passed()) kill(pid_, SIGKILL);
      usleep(1000);
    }
  }
  int End(int signal) {
    if (pid_ <= 0) return 0;
    kill(pid_, signal);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

 private:
  pid_t pid_ = 0;
};

class RtProgramTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string base = testing::TempDir() + "saferl_rt_test_" + std::to_string(getpid());
    shm_path_ = base + ".shm";
    log_path_ = base + ".mcap";
    config_path_ = base + ".yaml";
  }
  void TearDown() override {
    for (const std::string& path : {shm_path_, log_path_, config_path_}) std::remove(path.c_str());
  }
  /// Starts saferl_rt with the given settings and attaches to its memory.
  std::unique_ptr<Process> Start(const std::string& settings) {
    std::ofstream(config_path_) << "robot: wheelchair\nshm: " << shm_path_ << "\nlog: " << log_path_
                                << "\nrealtime: {fifo: off, lock_memory: off}\n"
                                << settings;
    auto process = std::make_unique<Process>([this] {
      (void)!freopen("/dev/null", "w", stdout);
      std::string words[] = {"saferl_rt", "--config", config_path_};
      char* argv[] = {words[0].data(), words[1].data(), words[2].data()};
      Leave(RunRtProgram(3, argv));
    });
    const Deadline deadline = Deadline::After(kPatience_ns);
    while ((shm_ = saferl_shm_attach(shm_path_.c_str())) == nullptr && !deadline.Passed())
      usleep(1000);
    EXPECT_NE(shm_, nullptr) << std::strerror(errno);
    return process;
  }
  bool WaitFor(const std::function<bool()>& condition) {
    const Deadline deadline = Deadline::After(kPatience_ns);
    while (!condition()) {
      if (deadline.Passed()) return false;
      usleep(200);
    }
    return true;
  }
  saferl_command Command() {
    saferl_command command{};
    SAFERL_GET(shm_, command, &command);
    return command;
  }
  void PutInputs(const TickInput& input) {
    saferl_human human{};
    human.stamp_ns = input.human.stamp_ns;
    human.sequence = input.human.sequence;
    std::memcpy(human.u, input.human.u.data(), sizeof human.u);
    human.enabled = input.human.enabled ? 1 : 0;
    human.stop = input.human.stop ? 1 : 0;
    SAFERL_PUT(shm_, human, &human);
    saferl_observation observation;
    std::memcpy(&observation, &input.observation, sizeof observation);
    SAFERL_PUT(shm_, observation, &observation);
  }
  /// Drives `ticks` of a workload in simulated time; every command that came back. At tick
  /// `pressed_at` the person at the machine presses stop for that tick.
  std::vector<saferl_command> Drive(int ticks, const std::function<void(int)>& meanwhile,
                                    int pressed_at = -1) {
    const auto robot = *robot::LoadRobot("wheelchair");
    Workload workload(robot);
    std::vector<saferl_command> commands;
    for (int k = 0; k < ticks; ++k) {
      TickInput input = workload.Next();
      input.human.stop |= k == pressed_at;
      PutInputs(input);
      meanwhile(k);
      const uint64_t sequence = static_cast<uint64_t>(k) + 1;
      EXPECT_TRUE(WaitFor([&] { return Command().observation_sequence == sequence; }))
          << "no answer at tick " << k;
      commands.push_back(Command());
      safety::Command sent;
      std::memcpy(sent.u.data(), commands.back().u, sizeof commands.back().u);
      workload.Apply(sent);
    }
    return commands;
  }

  std::string shm_path_, log_path_, config_path_;
  saferl_shm* shm_ = nullptr;
};

constexpr char kSimulated[] = "pacing: robot\nobservation_clock: true\nlease_s: off\n";

TEST_F(RtProgramTest, KillingEveryOtherProcessChangesNoCommandBit) {
  std::vector<saferl_command> quiet, disturbed;
  {
    const auto rt = Start(kSimulated);
    quiet = Drive(400, [](int) {});
    EXPECT_EQ(rt->End(SIGTERM), 0);
  }
  {
    const auto rt = Start(kSimulated);
    Random random(11);
    std::vector<std::unique_ptr<Process>> readers(3);
    disturbed = Drive(400, [&](int k) {
      if (k % 10 != 0) return;
      auto& reader = readers[static_cast<size_t>(random.Index(3))];
      reader = nullptr;  // killed in mid-read
      reader = std::make_unique<Process>([this] {
        saferl_shm* shm = saferl_shm_attach(shm_path_.c_str());
        saferl_command command;
        saferl_observation observation;
        while (shm != nullptr) {
          SAFERL_GET(shm, command, &command);
          SAFERL_GET(shm, observation, &observation);
        }
      });
    });
    readers.clear();
    EXPECT_EQ(rt->End(SIGTERM), 0);
  }
  ASSERT_EQ(quiet.size(), disturbed.size());
  for (size_t k = 0; k < quiet.size(); ++k)
    ASSERT_EQ(std::memcmp(&quiet[k], &disturbed[k], sizeof quiet[k]), 0) << "tick " << k;
  double moved = 0;
  for (const saferl_command& command : quiet) moved += std::abs(command.u[0]);
  EXPECT_GT(moved, 1.0);  // it did drive
  // And the log that the second run wrote replays bit for bit.
  const auto model = MakeTickModel(*LoadRtConfig(config_path_));
  ASSERT_TRUE(model.ok()) << model.status();
  const auto report = Replay(log_path_, *model);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->ticks, 400U);
  EXPECT_TRUE(report->identical) << report->difference;
}

TEST_F(RtProgramTest, ARecordedPersonDrives) {
  const std::string path = shm_path_ + ".csv";
  std::ofstream(path) << "t_s,u0,u1\n0,0.02,0\n1,0,0.05\n1.2,0,0.05\n";
  const auto rt = Start(kSimulated + ("human: trace:" + path + "\n"));
  const auto quiet = Drive(50, [](int) {});  // what the workload's own person wants is not heard
  double moved = 0;
  for (const saferl_command& command : quiet) {
    EXPECT_LE(command.u[0], 0.02 + 1e-12);
    EXPECT_EQ(command.u[1], 0);
    moved += command.u[0];
  }
  EXPECT_GT(moved, 0.1) << safety::Name(static_cast<safety::Reason>(quiet.back().reason));
  EXPECT_EQ(rt->End(SIGTERM), 0);
  std::remove(path.c_str());
  const auto model = MakeTickModel(*LoadRtConfig(config_path_));
  ASSERT_TRUE(model.ok()) << model.status();
  const auto person = PersonOf(log_path_);
  ASSERT_TRUE(person.ok()) << person.status();
  EXPECT_EQ(person->At(500'000'000, 0).u[0], 0.02);
}

/// Stop always wins: the one that the recorded person pressed, and the one that a person presses at
/// the machine while the recording plays.
TEST_F(RtProgramTest, AStopDuringARecordingStopsWhoeverPressesIt) {
  const std::string path = shm_path_ + ".csv";
  const auto drive = [&](const std::string& last_line, int pressed_at) {
    std::ofstream(path) << "t_s,u0,u1,stop\n0,0.02,0,0\n" << last_line << "2,0.02,0,0\n";
    const auto rt = Start(kSimulated + ("human: trace:" + path + "\n"));
    const auto commands = Drive(50, [](int) {}, pressed_at);
    EXPECT_EQ(rt->End(SIGTERM), 0);
    return commands;
  };
  const auto stops = [](const std::vector<saferl_command>& commands) {
    return std::ranges::count_if(commands,
                                 [](const auto& c) { return c.mode >= SAFERL_CONTROLLED_STOP; });
  };
  EXPECT_EQ(stops(drive("", -1)), 0);
  const auto recorded = drive("0.3,0.02,0,1\n", -1);
  EXPECT_GE(stops(recorded), 10);
  EXPECT_EQ(recorded.back().u[0], 0);
  const auto pressed = drive("", 20);
  EXPECT_GE(stops(pressed), 10);
  EXPECT_EQ(pressed.back().u[0], 0);
  std::remove(path.c_str());
}

TEST_F(RtProgramTest, ADeadDriverEndsInAStop) {
  const auto rt = Start("pacing: robot\nlease_s: off\n");
  auto driver = std::make_unique<Process>([this] {
    saferl_shm* shm = saferl_shm_attach(shm_path_.c_str());
    saferl_observation o{};
    for (;; usleep(20'000)) {
      o.stamp_ns = o.state_stamp_ns = o.people_stamp_ns = o.lidar_stamp_ns = Nanos();
      ++o.sequence;
      o.n_lidar = 24;
      for (float& range : o.lidar_m) range = INFINITY;
      SAFERL_PUT(shm, observation, &o);
    }
  });
  ASSERT_TRUE(WaitFor([this] { return Command().observation_sequence > 5; }));
  driver = nullptr;
  const int64_t killed = Nanos();
  ASSERT_TRUE(WaitFor([this, killed] {
    const saferl_command command = Command();
    return command.mode >= SAFERL_CONTROLLED_STOP && command.issued_ns > killed;
  }));
  EXPECT_EQ(Command().u[0], 0);
}

TEST_F(RtProgramTest, WithoutTheLeaseItStops) {
  const auto rt = Start("pacing: robot\nobservation_clock: false\nlease_s: 0.2\n");
  ASSERT_TRUE(WaitFor([this] { return Command().sequence > 3; }));
  EXPECT_GE(Command().mode, SAFERL_CONTROLLED_STOP);
}

TEST_F(RtProgramTest, ASecondLoopOnTheSameMemoryIsRefused) {
  const auto rt = Start("pacing: timer\n");
  Process second([this] {
    (void)!freopen("/dev/null", "w", stderr);
    std::string words[] = {"saferl_rt", "--config", config_path_};
    char* argv[] = {words[0].data(), words[1].data(), words[2].data()};
    Leave(RunRtProgram(3, argv));
  });
  EXPECT_EQ(second.End(0), static_cast<int>(ExitCode::kEnvironment));
}

// The example's C driver, built with the C compiler: drives, and brakes alone when saferl_rt is
// killed.
TEST_F(RtProgramTest, TheExampleDriverDrivesAndBrakesAlone) {
  const std::string source = SAFERL_SOURCE_DIR, program = shm_path_ + ".driver";
  const std::string compile = "cc -std=c11 -Wall -Wextra -Werror -I" + source + " " + source +
                              "/examples/robot_driver.c -lm -o " + program;
  ASSERT_EQ(std::system(compile.c_str()), 0);
  const auto rt = Start("pacing: robot\nlease_s: off\n");
  Process driver([&] {
    (void)!freopen("/dev/null", "w", stdout);
    execl(program.c_str(), program.c_str(), shm_path_.c_str(), "100000",
          static_cast<char*>(nullptr));
  });
  saferl_observation seen{};
  saferl_human human{};
  human.enabled = 1;
  human.u[0] = 0.4;
  const bool drove = WaitFor([&] {
    human.stamp_ns = Nanos();
    human.acknowledge =
        static_cast<uint8_t>(++human.sequence / 100 % 2);  // a stop on a loaded machine is cleared
    SAFERL_PUT(shm_, human, &human);
    SAFERL_GET(shm_, observation, &seen);
    return seen.qd[0] > 0.1;
  });
  EXPECT_TRUE(drove) << "mode " << int{Command().mode} << " reason " << int{Command().reason};
  rt->End(SIGKILL);
  const uint64_t at = seen.sequence;
  EXPECT_TRUE(WaitFor([&] {
    return SAFERL_GET(shm_, observation, &seen) && seen.sequence > at + 5 && seen.qd[0] == 0;
  }));
  std::remove(program.c_str());
}

TEST(RtProgram, BadInputIsOneLineAndExitCodeTwo) {
  const auto run = [](std::vector<std::string> words) {
    Process process([&] {
      (void)!freopen("/dev/null", "w", stderr);
      std::vector<char*> argv;
      for (std::string& word : words) argv.push_back(word.data());
      Leave(RunRtProgram(static_cast<int>(argv.size()), argv.data()));
    });
    return process.End(0);
  };
  EXPECT_EQ(run({"saferl_rt", "--ticks", "x"}), 2);
  EXPECT_EQ(run({"saferl_rt", "--nonsense"}), 2);
  EXPECT_EQ(run({"saferl_rt", "--shm"}), 2);
}

}  // namespace
}  // namespace saferl::control
