#include "saferl/control/rt_program.h"

#include <signal.h>

#include <atomic>
#include <charconv>
#include <cstdio>
#include <string>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/data_path.h"
#include "saferl/base/mailbox.h"
#include "saferl/base/printable.h"
#include "saferl/base/text.h"
#include "saferl/control/human_input/evdev.h"
#include "saferl/control/human_input/trace.h"
#include "saferl/control/recorder.h"
#include "saferl/control/rt_config.h"
#include "saferl/control/shm.h"
#include "saferl/control/tick_data.h"
#include "saferl/control/workload.h"

namespace saferl::control {

namespace {

constexpr char kUsage[] =
    "saferl_rt: the real-time loop between a robot's driver and everything else\n"
    "\n"
    "usage: saferl_rt [--config FILE] [--robot NAME|FILE] [--shm PATH] [--log FILE] [--ticks N]\n"
    "\n"
    "  --config FILE   settings (data/config/saferl_rt.yaml shows all of them)\n"
    "  --robot R       name in data/robots or path of a robot file\n"
    "  --shm PATH      shared memory that the driver maps\n"
    "  --log FILE      decision log (.mcap)\n"
    "  --ticks N       stop after N ticks\n"
    "  --help          this text\n"
    "\n"
    "example: saferl_rt --robot wheelchair --shm /dev/shm/saferl --log drive.mcap\n"
    "exit status: 0 done, 2 bad input, 3 the environment failed\n";

constexpr int kWarmUpTicks = 1000;

std::atomic<bool> g_stop{false};
void OnSignal(int) { g_stop.store(true); }

struct Arguments {
  RtConfig config;
  uint64_t ticks = 0;
  bool help = false;
};

StatusOr<Arguments> ParseArguments(int argc, char** argv) {
  Arguments out;
  std::string robot, shm, log;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--help") {
      out.help = true;
      return out;
    }
    if (flag != "--config" && flag != "--robot" && flag != "--shm" && flag != "--log" &&
        flag != "--ticks")
      return absl::InvalidArgumentError(Cat("unknown argument '", flag, "'; see saferl_rt --help"));
    if (i + 1 >= argc)
      return absl::InvalidArgumentError(Cat(flag, ": needs a value; see saferl_rt --help"));
    const std::string value = argv[++i];
    if (flag == "--robot") robot = value;
    if (flag == "--shm") shm = value;
    if (flag == "--log") log = value;
    if (flag == "--config") {
      SAFERL_ASSIGN_OR_RETURN(out.config, LoadRtConfig(value));
    }
    if (flag == "--ticks") {
      const auto [end, error] =
          std::from_chars(value.data(), value.data() + value.size(), out.ticks);
      if (error != std::errc() || end != value.data() + value.size() || out.ticks == 0)
        return absl::InvalidArgumentError(
            Cat("--ticks: '", value, "' is not a whole number above 0"));
    }
  }
  if (!robot.empty()) out.config.robot = robot;
  if (!shm.empty()) out.config.shm = shm;
  if (!log.empty()) out.config.log = log;
  return out;
}

/// Polls the stick at this machine and leaves its latest word in a mailbox.
class StickThread {
 public:
  StickThread(std::unique_ptr<EvdevStick> stick, int64_t period_ns)
      : stick_(std::move(stick)), thread_([this, period_ns] { Run(period_ns); }) {}
  ~StickThread() {
    stop_.store(true);
    thread_.join();
  }
  void Read(HumanInput* input) { mailbox_.Read(input); }

 private:
  void Run(int64_t period_ns) {
    SystemClock clock;
    while (!stop_.load()) {
      mailbox_.Write(stick_->Poll(Nanos()));
      clock.SleepUntil(Nanos() + period_ns / 2);
    }
  }
  std::unique_ptr<EvdevStick> stick_;
  Mailbox<HumanInput> mailbox_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// Shared memory, the stick or the recorded person, and the recorder as the loop sees them.
class ProgramPorts final : public LoopPorts {
 public:
  ProgramPorts(const RtConfig& config, ShmEndpoint* shm, StickThread* stick,
               const HumanTrace* trace, Recorder* recorder)
      : observation_clock_(config.observation_clock),
        shm_(shm),
        stick_(stick),
        trace_(trace),
        recorder_(recorder) {}
  void Read(int64_t now_ns, TickInput* input) override {
    shm_->Read(now_ns, input);
    if (stick_ == nullptr && trace_ == nullptr) return;
    const bool stop = input->human.stop;  // a stop from either side counts
    if (stick_ != nullptr) stick_->Read(&input->human);
    if (trace_ != nullptr) {
      const int64_t t = observation_clock_ ? input->observation.stamp_ns : now_ns;
      if (trace_start_ns_ < 0) trace_start_ns_ = t;
      input->human = trace_->At(t, trace_start_ns_);
    }
    input->human.stop |= stop;
  }
  void Write(const Decision& decision) override {
    shm_->Write(decision);
    recorder_->Record(decision);
  }
  uint64_t AwaitObservation(uint64_t mark, int64_t spin_ns, int64_t until_ns) override {
    return shm_->AwaitObservation(mark, spin_ns, until_ns);
  }

 private:
  const bool observation_clock_;
  ShmEndpoint* shm_;
  StickThread* stick_;
  const HumanTrace* trace_;
  Recorder* recorder_;
  int64_t trace_start_ns_ = -1;  ///< the first tick's time
};

/// Ticks on a healthy stream, so that caches, branch predictors and the pages of the stack are
/// warm.
void WarmUp(const TickModel& model) {
  const auto data = Prepare(model);
  const auto decision = std::make_unique<Decision>();
  Workload workload(model.safety->robot);
  for (int k = 0; k < kWarmUpTicks; ++k) {
    Tick(model, workload.Next(), data.get(), decision.get());
    workload.Apply(decision->command);
  }
}

void PrintStats(const LoopStats& stats, Pacing pacing, const Recorder& recorder,
                safety::Mode mode) {
  const auto us = [](int64_t ns) { return static_cast<double>(ns) * 1e-3; };
  std::printf(
      "ticks %llu, slips %llu, skipped periods %llu, dropped records %llu, stops dumped %llu, last "
      "mode %s\n",
      static_cast<unsigned long long>(stats.ticks), static_cast<unsigned long long>(stats.slips),
      static_cast<unsigned long long>(stats.skipped_periods),
      static_cast<unsigned long long>(recorder.dropped()),
      static_cast<unsigned long long>(recorder.dumps()), std::string(safety::Name(mode)).c_str());
  std::printf("compute us: p50 %.1f p99 %.1f p99.9 %.1f max %.1f\n", us(stats.compute.p50()),
              us(stats.compute.p99()), us(stats.compute.p99_9()), us(stats.compute.max()));
  if (pacing != Pacing::kTimer) return;  // the robot's clock is not ours: nothing was due
  std::printf("wake-up us: p50 %.1f p99 %.1f p99.9 %.1f max %.1f\n", us(stats.wake.p50()),
              us(stats.wake.p99()), us(stats.wake.p99_9()), us(stats.wake.max()));
}

Status RunLoopProgram(const Arguments& arguments) {
  const RtConfig& config = arguments.config;
  SAFERL_ASSIGN_OR_RETURN(const TickModel model, MakeTickModel(config));
  const auto& robot = model.safety->robot;
  SAFERL_ASSIGN_OR_RETURN(const std::string robot_file, FindNamed(config.robot, "robots", ".yaml"));
  SAFERL_ASSIGN_OR_RETURN(const DecisionLogInfo info, DescribeModel(model, robot_file));
  std::optional<HumanTrace> trace;
  if (config.human.starts_with(kTracePrefix)) {
    SAFERL_ASSIGN_OR_RETURN(trace,
                            HumanTrace::Load(config.human.substr(kTracePrefix.size()), robot->n()));
  }
  std::optional<int64_t> lease_ns;
  if (config.lease_s) lease_ns = FromSeconds(*config.lease_s);
  SAFERL_ASSIGN_OR_RETURN(const auto shm, ShmEndpoint::Create(config.shm, *robot, lease_ns));
  RecorderConfig recording;
  recording.log_path = config.log == "off" ? "" : config.log;
  recording.black_box_folder = config.black_box == "off" ? "" : config.black_box;
  recording.black_box_ticks = config.black_box_ticks;
  SAFERL_ASSIGN_OR_RETURN(const auto recorder, Recorder::Start(recording, info, robot));
  std::unique_ptr<StickThread> stick;
  const int64_t period_ns = FromSeconds(robot->period_s());
  if (config.human.starts_with(kStickPrefix)) {
    SAFERL_ASSIGN_OR_RETURN(
        auto device, EvdevStick::Open(config.human.substr(kStickPrefix.size()), StickFor(*robot)));
    stick = std::make_unique<StickThread>(std::move(device), period_ns);
  }
  const auto data = Prepare(model);
  const auto decision = std::make_unique<Decision>();
  const auto stats = std::make_unique<LoopStats>();
  WarmUp(model);
  // Last, and only for this thread: the recorder and the stick keep ordinary scheduling.
  SAFERL_ASSIGN_OR_RETURN(const RtGranted granted,
                          ApplyRtSettings(Settings(config.realtime, period_ns)));
  for (const std::string& warning : granted.warnings)
    std::fprintf(stderr, "saferl_rt: warning: %s\n", warning.c_str());
  std::printf("saferl_rt: robot %s, period %.3f ms, pacing %s, %s, shm %s, safety monitor %s\n",
              robot->name().c_str(), static_cast<double>(period_ns) * 1e-6,
              config.pacing == Pacing::kTimer ? "timer" : "robot", granted.Text().c_str(),
              config.shm.c_str(), config.lease_s ? "required" : "off");
  std::fflush(stdout);

  LoopModel loop;
  loop.tick = &model;
  loop.pacing = config.pacing;
  loop.period_ns = period_ns;
  loop.early_ns = FromSeconds(config.realtime.early_s);
  loop.max_ticks = arguments.ticks;
  loop.ticks_with_observation_clock = config.observation_clock;
  SystemClock clock;
  ProgramPorts ports(config, shm.get(), stick.get(), trace ? &*trace : nullptr, recorder.get());
  RunLoop(loop, &clock, &ports, g_stop, data.get(), decision.get(), stats.get());
  const Status recorded = recorder->Stop();
  PrintStats(*stats, loop.pacing, *recorder, decision->command.mode);
  return recorded;
}

}  // namespace

int RunRtProgram(int argc, char** argv) {
  const StatusOr<Arguments> arguments = ParseArguments(argc, argv);
  if (arguments.ok() && arguments->help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  struct sigaction action{};
  action.sa_handler = OnSignal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  const Status status = arguments.ok() ? RunLoopProgram(*arguments) : arguments.status();
  if (!status.ok())
    std::fprintf(stderr, "saferl_rt: %s\n", Printable(std::string(status.message())).c_str());
  return static_cast<int>(ToExitCode(status));
}

}  // namespace saferl::control
