// Round trips through the robot's shared memory (saferl/control/shm_layout.h) between two
// processes: one puts an observation (or a person's command), the other gets it and puts a command,
// the first gets that.
//
//   shm_yardstick SECONDS   prints one JSON object: per channel and way of waiting p50, p99 [us]
//   and
//                           the processor time of both processes per round trip [us]
//
// All by saferl_shm_put, _get and _wait. Spinning: a side reads the channel's lock word until it
// has moved on. Futex: it sleeps in the kernel, and whoever put a record wakes it. Each side has
// its own processor where there are two ("spin", "futex"), or both share one ("together"). "awake"
// is futex with idle processors held awake, as `realtime.awake` of saferl_rt does; without the
// right to do so it is left out.
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "saferl/control/rt_settings.h"
#include "saferl/control/shm_layout.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr int64_t kLostNs = 2'000'000'000;  // the other side died: give up

void Pin(int cpu) {
  if (std::thread::hardware_concurrency() < 2) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof(set), &set);
}

/// Until this process ends.
bool StayAwake() {
  using saferl::control::Requirement;
  const auto granted = saferl::control::ApplyRtSettings(
      {.fifo = Requirement::kOff, .lock_memory = Requirement::kOff, .awake = Requirement::kWarn});
  return granted.ok() && granted->awake;
}

template <class T>
struct Channel {
  uint64_t* lock;
  T* value;
  void Put(const T& from) const { saferl_shm_put(lock, value, &from, sizeof(T)); }
  /// The record after the one with lock word `*seen`.
  bool Next(T* to, uint64_t* seen, int64_t spin_ns) const {
    if (saferl_shm_wait(lock, *seen, spin_ns, saferl_now_ns() + kLostNs) == 0) return false;
    if (saferl_shm_get(lock, value, to, sizeof(T)) != 1) return false;
    *seen = __atomic_load_n(lock, __ATOMIC_ACQUIRE);
    return true;
  }
};

enum class How : uint8_t { kSpin, kFutex, kTogether, kAwake };
constexpr const char* kNames[] = {"spin", "futex", "together", "awake"};
constexpr uint64_t kEnd = UINT64_MAX;

/// The robot's side: answers each record by a command that names it.
template <class T>
int Answer(const Channel<T>& in, const Channel<saferl_command>& out, int64_t spin_ns) {
  T got{};
  saferl_command command{};
  uint64_t seen = 0;
  while (in.Next(&got, &seen, spin_ns)) {
    if (got.sequence == kEnd) return 0;
    command.observation_sequence = got.sequence;
    out.Put(command);
  }
  return 1;
}

double CpuSeconds(int who) {
  rusage usage{};
  getrusage(who, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

template <class T>
bool Measure(const char* name, const Channel<T>& out, const Channel<saferl_command>& in, How how,
             double seconds, bool first) {
  const int64_t spin_ns = how == How::kSpin ? kLostNs : 0;
  *out.lock = *in.lock = 0;
  const pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    if (how != How::kTogether) Pin(1);
    _exit(Answer(out, in, spin_ns));
  }
  std::vector<double> us;
  us.reserve(1 << 22);
  T record{};
  saferl_command command{};
  uint64_t seen = 0;
  const double cpu = CpuSeconds(RUSAGE_SELF);
  const double cpu_children = CpuSeconds(RUSAGE_CHILDREN);
  const auto start = Clock::now();
  const auto end =
      start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  bool whole = true;
  for (auto now = start; whole && now < end && us.size() < us.capacity();) {
    ++record.sequence;
    out.Put(record);
    whole = in.Next(&command, &seen, spin_ns) && command.observation_sequence == record.sequence;
    const auto then = Clock::now();
    us.push_back(std::chrono::duration<double, std::micro>(then - now).count());
    now = then;
  }
  record.sequence = kEnd;
  out.Put(record);
  int status = 1;
  waitpid(child, &status, 0);
  if (!whole || status != 0 || us.size() < 100) return false;
  const double spent = CpuSeconds(RUSAGE_SELF) - cpu + CpuSeconds(RUSAGE_CHILDREN) - cpu_children;
  const size_t n = us.size();
  std::sort(us.begin(), us.end());
  std::printf(
      "%s\"%s_%s\": {\"p50_us\": %.3f, \"p99_us\": %.3f, \"round_trips\": %zu, "
      "\"cpu_us\": %.3f}",
      first ? "{\n  " : ",\n  ", name, kNames[static_cast<size_t>(how)], us[n / 2],
      us[n * 99 / 100], n, 1e6 * spent / static_cast<double>(n));
  return true;
}

int Run(double seconds) {
  void* at =
      mmap(nullptr, sizeof(saferl_shm), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) {
    std::perror("mmap");
    return 1;
  }
  Pin(0);
  auto* shm = static_cast<saferl_shm*>(at);
  const Channel<saferl_observation> observation{&shm->observation.lock, &shm->observation.value};
  const Channel<saferl_human> human{&shm->human.lock, &shm->human.value};
  const Channel<saferl_command> command{&shm->command.lock, &shm->command.value};
  bool ok = true;
  for (const How how : {How::kSpin, How::kFutex, How::kTogether, How::kAwake}) {
    if (how == How::kAwake && !StayAwake()) break;
    ok = ok && Measure("human", human, command, how, seconds, how == How::kSpin) &&
         Measure("observation", observation, command, how, seconds, false);
  }
  std::printf("\n}\n");
  if (!ok) std::fprintf(stderr, "shm_yardstick: a side lost the other\n");
  return ok ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc == 2 ? std::atof(argv[1]) : 0;
  if (!(seconds > 0 && seconds <= 60)) {
    std::fprintf(stderr, "usage: %s SECONDS(..60)\n", argv[0]);
    return 2;
  }
  return Run(seconds);
}
