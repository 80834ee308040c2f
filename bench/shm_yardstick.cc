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
// its own processor where there are two ("spin", "dozing"), or both share one ("together").
// "polling" spins for 50 us, longer than a tick takes, and only then sleeps. "awake" is "dozing"
// with idle processors held awake, as `realtime.awake` of saferl_rt does; without the right to do
// so it is left out. Yardstick "bare": the same trip between two bare futex words, without a
// record: what the kernel and the host take to wake somebody.
#include <linux/futex.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
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
constexpr int64_t kPollNs = 50'000;         // a tick takes less

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

enum class How : uint8_t { kSpin, kPolling, kDozing, kTogether, kAwake };
constexpr const char* kNames[] = {"spin", "polling", "dozing", "together", "awake"};
constexpr uint64_t kEnd = UINT64_MAX;

/// A word that is counted up, and whoever sleeps on it woken.
struct Bare {
  uint32_t* word;
  void Post() const {
    __atomic_fetch_add(word, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  }
  /// Until it is no longer `seen`.
  bool Wait(uint32_t seen) const {
    const timespec lost = {.tv_sec = kLostNs / 1'000'000'000, .tv_nsec = 0};
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == seen) {
      if (syscall(SYS_futex, word, FUTEX_WAIT, seen, &lost, nullptr, 0) != 0 && errno == ETIMEDOUT)
        return false;
    }
    return true;
  }
};

/// The robot's side: answers each record by a command that names it.
template <class T>
bool Answer(const Channel<T>& in, const Channel<saferl_command>& out, int64_t spin_ns) {
  T got{};
  saferl_command command{};
  uint64_t seen = 0;
  while (in.Next(&got, &seen, spin_ns)) {
    if (got.sequence == kEnd) return true;
    command.observation_sequence = got.sequence;
    out.Put(command);
  }
  return false;
}

double CpuSeconds(int who) {
  rusage usage{};
  getrusage(who, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

int members = 0;  ///< of the JSON object, printed so far

/// Times `trip` (false: the other side is lost) against a process that runs `answer`; `stop` ends
/// it. Prints one member of the JSON object.
template <class Answer, class Trip, class Stop>
bool Measure(const char* name, How how, double seconds, const Answer& answer, const Trip& trip,
             const Stop& stop) {
  const pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    if (how != How::kTogether) Pin(1);
    _exit(answer() ? 0 : 1);
  }
  std::vector<double> us;
  us.reserve(1 << 22);
  const double cpu = CpuSeconds(RUSAGE_SELF);
  const double cpu_children = CpuSeconds(RUSAGE_CHILDREN);
  const auto start = Clock::now();
  const auto end =
      start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  bool whole = true;
  for (auto now = start; whole && now < end && us.size() < us.capacity();) {
    whole = trip();
    const auto then = Clock::now();
    us.push_back(std::chrono::duration<double, std::micro>(then - now).count());
    now = then;
  }
  stop();
  int status = 1;
  waitpid(child, &status, 0);
  if (!whole || status != 0 || us.size() < 100) return false;
  const double spent = CpuSeconds(RUSAGE_SELF) - cpu + CpuSeconds(RUSAGE_CHILDREN) - cpu_children;
  const size_t n = us.size();
  std::sort(us.begin(), us.end());
  std::printf(
      "%s\"%s_%s\": {\"p50_us\": %.3f, \"p99_us\": %.3f, \"round_trips\": %zu, "
      "\"cpu_us\": %.3f}",
      members++ == 0 ? "{\n  " : ",\n  ", name, kNames[static_cast<size_t>(how)], us[n / 2],
      us[n * 99 / 100], n, 1e6 * spent / static_cast<double>(n));
  return true;
}

template <class T>
bool MeasureRecords(const char* name, const Channel<T>& out, const Channel<saferl_command>& in,
                    How how, double seconds) {
  const int64_t spin_ns = how == How::kSpin ? kLostNs : how == How::kPolling ? kPollNs : 0;
  *out.lock = *in.lock = 0;
  T record{};
  saferl_command command{};
  uint64_t seen = 0;
  return Measure(
      name, how, seconds, [&] { return Answer(out, in, spin_ns); },
      [&] {
        ++record.sequence;
        out.Put(record);
        return in.Next(&command, &seen, spin_ns) && command.observation_sequence == record.sequence;
      },
      [&] {
        record.sequence = kEnd;
        out.Put(record);
      });
}

bool MeasureBare(const Bare& out, const Bare& in, uint32_t* ended, How how, double seconds) {
  *out.word = *in.word = *ended = 0;
  return Measure(
      "bare", how, seconds,
      [&] {
        for (uint32_t seen = 0; out.Wait(seen); ++seen) {
          if (__atomic_load_n(ended, __ATOMIC_ACQUIRE) != 0) return true;
          in.Post();
        }
        return false;
      },
      [&] {
        const uint32_t seen = __atomic_load_n(in.word, __ATOMIC_ACQUIRE);
        out.Post();
        return in.Wait(seen);
      },
      [&] {
        __atomic_store_n(ended, 1, __ATOMIC_RELEASE);
        out.Post();
      });
}

int Run(double seconds) {
  constexpr size_t kBytes = sizeof(saferl_shm) + 3 * 64;
  void* at = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) {
    std::perror("mmap");
    return 1;
  }
  Pin(0);
  auto* shm = static_cast<saferl_shm*>(at);
  const Channel<saferl_observation> observation{&shm->observation.lock, &shm->observation.value};
  const Channel<saferl_human> human{&shm->human.lock, &shm->human.value};
  const Channel<saferl_command> command{&shm->command.lock, &shm->command.value};
  auto* words = reinterpret_cast<uint32_t*>(shm + 1);  // a cache line each
  bool ok = true;
  for (const How how : {How::kSpin, How::kPolling, How::kDozing, How::kTogether, How::kAwake}) {
    if (how == How::kAwake && !StayAwake()) break;
    const bool spins = how == How::kSpin || how == How::kPolling;
    ok = ok && MeasureRecords("human", human, command, how, seconds) &&
         MeasureRecords("observation", observation, command, how, seconds) &&
         (spins || MeasureBare({words}, {words + 16}, words + 32, how, seconds));
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
