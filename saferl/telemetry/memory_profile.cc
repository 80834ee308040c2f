#include "saferl/telemetry/memory_profile.h"

#include <malloc.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <sstream>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"

namespace saferl::telemetry {
namespace {

/// "Rss:     123 kB" in bytes; 0 when absent.
uint64_t Field(std::string_view text, std::string_view name) {
  const size_t at = text.find(Cat("\n", name, ":"));
  return at == std::string_view::npos
             ? 0
             : std::strtoull(text.data() + at + name.size() + 2, nullptr, 10);
}

StatusOr<MemorySample> TakeSample(int pid, double t_s) {
  SAFERL_ASSIGN_OR_RETURN(const std::string rollup, ReadFile(Cat("/proc/", pid, "/smaps_rollup")));
  if (rollup.empty()) {
    return absl::NotFoundError(Cat("process ", pid, ": has ended; name one that runs"));
  }
  SAFERL_ASSIGN_OR_RETURN(const std::string status, ReadFile(Cat("/proc/", pid, "/status")));
  MemorySample sample{.t_s = t_s,
                      .rss = Field(rollup, "Rss") * 1024,
                      .pss = Field(rollup, "Pss") * 1024,
                      .anonymous = Field(rollup, "Anonymous") * 1024,
                      .private_dirty = Field(rollup, "Private_Dirty") * 1024,
                      .swap = Field(rollup, "Swap") * 1024,
                      .threads = static_cast<int>(Field(status, "Threads"))};
  if (pid == ::getpid()) {
    const struct mallinfo2 heap = ::mallinfo2();
    sample.heap = heap.uordblks + heap.hblkhd;
  }
  return sample;
}

/// Resident bytes of each mapping by its name.
std::map<std::string, uint64_t> Mappings(int pid) {
  std::map<std::string, uint64_t> mappings;
  std::istringstream text(ReadFile(Cat("/proc/", pid, "/smaps")).value_or(""));
  std::string name;
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line);
    std::string first, value;
    words >> first;
    if (first.ends_with(':')) {
      words >> value;
      if (first == "Rss:") mappings[name] += std::strtoull(value.c_str(), nullptr, 10) * 1024;
      continue;
    }
    std::string permissions, offset, device, inode;
    words >> permissions >> offset >> device >> inode >> std::ws;
    if (!std::getline(words, name) || name.empty()) name = "[anonymous]";
  }
  return mappings;
}

void SleepUntil(int64_t nanos) {
  const timespec until = {nanos / kNanosPerSecond, nanos % kNanosPerSecond};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

}  // namespace

StatusOr<MemoryProfile> ProfileMemory(int pid, double seconds, double interval_s,
                                      const std::function<void(const MemorySample&)>& on_sample) {
  if (!(seconds > 0 && seconds <= 86'400) || !(interval_s >= 0.01 && interval_s <= 3600)) {
    return absl::InvalidArgumentError(
        "profile: the duration must be in (0, 86400] s and the interval in [0.01, 3600] s");
  }
  MemoryProfile profile;
  profile.pid = pid;
  profile.name = ReadFile(Cat("/proc/", pid, "/comm")).value_or("");
  while (profile.name.ends_with('\n')) profile.name.pop_back();
  const std::map<std::string, uint64_t> first = Mappings(pid);
  std::map<std::string, uint64_t> last = first;
  const int64_t start = Nanos(), end = start + FromSeconds(seconds);
  for (int64_t due = start;; due = std::max(due + FromSeconds(interval_s), Nanos())) {
    SleepUntil(std::min(due, end));
    StatusOr<MemorySample> sample = TakeSample(pid, Seconds(Nanos() - start));
    if (!sample.ok()) {
      if (profile.samples.empty()) return sample.status();
      profile.ended = true;
      break;
    }
    profile.samples.push_back(*sample);
    if (on_sample) on_sample(*sample);
    if (due >= end) break;
  }
  if (!profile.ended) last = Mappings(pid);
  for (const auto& [name, bytes] : last) {
    const auto before = first.find(name);
    profile.mappings.push_back({name, before == first.end() ? 0 : before->second, bytes});
  }
  std::ranges::stable_sort(profile.mappings, std::greater(), [](const auto& m) {
    return static_cast<int64_t>(m.last) - static_cast<int64_t>(m.first);
  });
  if (profile.mappings.size() > 30) profile.mappings.resize(30);
  return profile;
}

double GrowthPerSecond(const MemoryProfile& profile) {
  double mean_t = 0, mean_y = 0, tt = 0, ty = 0;
  const double n = static_cast<double>(profile.samples.size());
  for (const MemorySample& s : profile.samples) {
    mean_t += s.t_s / n;
    mean_y += static_cast<double>(s.rss) / n;
  }
  for (const MemorySample& s : profile.samples) {
    tt += (s.t_s - mean_t) * (s.t_s - mean_t);
    ty += (s.t_s - mean_t) * (static_cast<double>(s.rss) - mean_y);
  }
  return tt > 0 ? ty / tt : 0;
}

std::string MemoryJson(const MemoryProfile& profile) {
  JsonWriter w;
  w.BeginObject().Field("pid", profile.pid).Field("name", profile.name);
  w.Field("ended", profile.ended).Field("growth_bytes_per_s", GrowthPerSecond(profile));
  w.Key("samples").BeginArray();
  for (const MemorySample& s : profile.samples) {
    w.BeginObject().Field("t_s", s.t_s).Field("rss", s.rss).Field("pss", s.pss);
    w.Field("anonymous", s.anonymous).Field("private_dirty", s.private_dirty);
    w.Field("swap", s.swap).Field("heap", s.heap).Field("threads", s.threads).EndObject();
  }
  w.EndArray().Key("mappings").BeginArray();
  for (const auto& m : profile.mappings) {
    w.BeginObject().Field("name", m.name).Field("first", m.first).Field("last", m.last).EndObject();
  }
  return w.EndArray().EndObject().Take();
}

}  // namespace saferl::telemetry
