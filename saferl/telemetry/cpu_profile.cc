#include "saferl/telemetry/cpu_profile.h"

#include <dirent.h>
#include <execinfo.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <mutex>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/telemetry/symbols.h"

namespace saferl::telemetry {
namespace {

constexpr int kDepth = 64;

struct Sample {
  int thread = 0, depth = 0;
  uintptr_t interrupted = 0;
  void* frames[kDepth];
};
struct Buffer {
  explicit Buffer(size_t n) : samples(n) {}
  std::vector<Sample> samples;
  std::atomic<size_t> next{0};
};

std::atomic<Buffer*> current{nullptr};
std::atomic<int> in_handler{0};

uintptr_t InterruptedAt(void* context) {
  const auto* machine = &static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<uintptr_t>(machine->gregs[REG_RIP]);
#elif defined(__aarch64__)
  return machine->pc;
#else
#error "say here where this processor keeps the interrupted address"
#endif
}

void OnSignal(int, siginfo_t*, void* context) {
  const int saved_errno = errno;
  in_handler.fetch_add(1);
  if (Buffer* buffer = current.load()) {
    const size_t i = buffer->next.fetch_add(1);
    if (i < buffer->samples.size()) {
      Sample& sample = buffer->samples[i];
      sample.thread = static_cast<int>(::syscall(SYS_gettid));
      sample.interrupted = InterruptedAt(context);
      sample.depth = ::backtrace(sample.frames, kDepth);
    }
  }
  in_handler.fetch_sub(1);
  errno = saved_errno;
}

/// One timer on the CPU clock of each thread.
class Timers {
 public:
  explicit Timers(int rate_hz) : period_ns_(kNanosPerSecond / rate_hz) {}
  ~Timers() {
    for (const auto& timer : timers_) ::timer_delete(timer.second);
  }
  void AddNewThreads() {
    DIR* dir = ::opendir("/proc/self/task");
    if (dir == nullptr) return;
    while (const dirent* entry = ::readdir(dir)) {
      const int thread = std::atoi(entry->d_name);
      if (thread > 0 && !timers_.contains(thread)) Add(thread);
    }
    ::closedir(dir);
  }

 private:
  void Add(int thread) {
    // The CPU clock of a thread by its number: clock_getcpuclockid(3) for threads of others.
    const clockid_t clock = static_cast<clockid_t>((~static_cast<unsigned>(thread) << 3) | 6u);
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGPROF;
    event._sigev_un._tid = thread;
    timer_t timer{};
    if (::timer_create(clock, &event, &timer) != 0) return;  // it has ended meanwhile
    itimerspec period{};
    period.it_interval = {period_ns_ / kNanosPerSecond, period_ns_ % kNanosPerSecond};
    period.it_value = period.it_interval;
    ::timer_settime(timer, 0, &period, nullptr);
    timers_.emplace(thread, timer);
  }
  int64_t period_ns_;
  std::map<int, timer_t> timers_;
};

std::string ThreadName(int thread) {
  std::string name = ReadFile(Cat("/proc/self/task/", thread, "/comm")).value_or("ended thread");
  while (name.ends_with('\n')) name.pop_back();
  return name;
}

void SleepUntil(int64_t nanos) {
  const timespec until = {nanos / kNanosPerSecond, nanos % kNanosPerSecond};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

std::vector<std::string> Stack(const Sample& sample, const std::string& thread, Symbols* symbols) {
  // The frames of the handler come first; the program's begin where it was interrupted.
  int first = 0;
  while (first < sample.depth &&
         reinterpret_cast<uintptr_t>(sample.frames[first]) != sample.interrupted) {
    ++first;
  }
  std::vector<std::string> stack = {thread};
  for (int i = sample.depth - 1; i > first; --i) {
    // A return address belongs to the call before it.
    stack.push_back(symbols->Name(reinterpret_cast<uintptr_t>(sample.frames[i]) - 1));
  }
  stack.push_back(symbols->Name(sample.interrupted));
  return stack;
}

}  // namespace

StatusOr<CpuProfile> ProfileCpu(double seconds, int rate_hz) {
  if (!(seconds > 0 && seconds <= kMaxProfileSeconds) || rate_hz < 1 || rate_hz > 1000) {
    return absl::InvalidArgumentError(Cat("profile: seconds must be in (0, ", kMaxProfileSeconds,
                                          "] and the rate in [1, 1000] Hz"));
  }
  static std::mutex one_at_a_time;
  const std::unique_lock lock(one_at_a_time, std::try_to_lock);
  if (!lock.owns_lock()) {
    return absl::FailedPreconditionError("profile: another one is running; wait for its end");
  }
  void* warm[2];
  ::backtrace(warm, 2);  // loads the unwinder now, not in the handler
  struct sigaction action{};
  action.sa_sigaction = OnSignal;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  ::sigaction(SIGPROF, &action, nullptr);  // stays: a late signal must not end the process

  const size_t cores = static_cast<size_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  const double wanted = seconds * rate_hz * static_cast<double>(cores);
  Buffer buffer(static_cast<size_t>(std::min(wanted + 1000, 60'000.0)));
  current.store(&buffer);
  std::map<int, std::string> threads;
  const int64_t start = Nanos(), end = start + FromSeconds(seconds);
  {
    Timers timers(rate_hz);
    for (int64_t now = start; now < end; now = Nanos()) {
      timers.AddNewThreads();
      SleepUntil(std::min(now + 100'000'000, end));
    }
  }
  current.store(nullptr);
  while (in_handler.load() != 0) SleepUntil(Nanos() + 1'000'000);

  CpuProfile profile{.seconds = Seconds(Nanos() - start), .rate_hz = rate_hz, .stacks = {}};
  const size_t taken = buffer.next.load();
  profile.samples = std::min(taken, buffer.samples.size());
  profile.dropped = taken - profile.samples;
  Symbols symbols;
  for (size_t i = 0; i < profile.samples; ++i) {
    const Sample& sample = buffer.samples[i];
    const auto [name, is_new] = threads.try_emplace(sample.thread);
    if (is_new) name->second = ThreadName(sample.thread);
    ++profile.stacks[Stack(sample, name->second, &symbols)];
  }
  return profile;
}

std::string FoldedStacks(const CpuProfile& profile) {
  std::string text;
  for (const auto& [stack, count] : profile.stacks) {
    std::string line;
    for (std::string frame : stack) {
      for (char& c : frame) {
        if (c == ';' || c == '\n') c = ':';
      }
      line += Cat(line.empty() ? "" : ";", frame);
    }
    text += Cat(line, " ", count, "\n");
  }
  return text;
}

std::string ProfileJson(const CpuProfile& profile) {
  JsonWriter w;
  w.BeginObject().Field("seconds", profile.seconds).Field("rate_hz", profile.rate_hz);
  w.Field("samples", profile.samples).Field("dropped", profile.dropped).Key("stacks").BeginArray();
  for (const auto& [stack, count] : profile.stacks) {
    w.BeginObject().Field("frames", stack).Field("count", count).EndObject();
  }
  return w.EndArray().EndObject().Take();
}

StatusOr<CpuProfile> ParseProfileJson(const Node& node) {
  CpuProfile profile;
  SAFERL_ASSIGN_OR_RETURN(const Node* seconds, node.Get("seconds"));
  SAFERL_ASSIGN_OR_RETURN(profile.seconds, seconds->AsDouble());
  SAFERL_ASSIGN_OR_RETURN(const Node* rate, node.Get("rate_hz"));
  SAFERL_ASSIGN_OR_RETURN(const int64_t rate_hz, rate->AsInt64());
  profile.rate_hz = static_cast<int>(rate_hz);
  SAFERL_ASSIGN_OR_RETURN(const Node* samples, node.Get("samples"));
  SAFERL_ASSIGN_OR_RETURN(profile.samples, samples->AsUint64());
  SAFERL_ASSIGN_OR_RETURN(const Node* dropped, node.Get("dropped"));
  SAFERL_ASSIGN_OR_RETURN(profile.dropped, dropped->AsUint64());
  SAFERL_ASSIGN_OR_RETURN(const Node* stacks, node.Get("stacks"));
  for (const Node& item : stacks->items()) {
    SAFERL_ASSIGN_OR_RETURN(const Node* frames, item.Get("frames"));
    SAFERL_ASSIGN_OR_RETURN(const Node* count, item.Get("count"));
    std::vector<std::string> stack;
    for (const Node& frame : frames->items()) stack.push_back(frame.text());
    SAFERL_ASSIGN_OR_RETURN(profile.stacks[std::move(stack)], count->AsUint64());
  }
  return profile;
}

}  // namespace saferl::telemetry
