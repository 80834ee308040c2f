#include "saferl/telemetry/operations_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <mutex>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/telemetry/catalogue_table.h"

namespace saferl::telemetry {
namespace {

constexpr const char* kBackup = "saferl_backup_last_success_timestamp_seconds";
constexpr const char* kDriftStatistic = "saferl_drift_statistic";
constexpr const char* kDriftPValue = "saferl_drift_pvalue";
constexpr const char* kDriftSamples = "saferl_drift_window_samples";
constexpr const char* kTasks = "saferl_task_completions_total";

std::span<const double> ScoreBuckets() {
  static constexpr double kBuckets[] = {1, 2, 3, 4, 5};
  return kBuckets;
}
/// 1 s to an hour: the specification's recovery objectives are minutes.
std::span<const double> RecoveryBuckets() {
  static constexpr double kBuckets[] = {0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600};
  return kBuckets;
}

int Entries(const char* directory) {
  DIR* dir = ::opendir(directory);
  if (dir == nullptr) return 0;
  int count = 0;
  while (const dirent* entry = ::readdir(dir)) count += entry->d_name[0] != '.';
  ::closedir(dir);
  return count;
}

/// Wall-clock time of the process's start: boot time plus its start in ticks since boot.
double StartTime() {
  const std::string stat = ReadFile("/proc/self/stat").value_or("");
  const size_t after_name = stat.rfind(')');
  unsigned long long ticks = 0;
  if (after_name == std::string::npos ||
      std::sscanf(
          stat.c_str() + after_name + 1,
          " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
          &ticks) != 1) {
    return 0;
  }
  timespec boot{};
  clock_gettime(CLOCK_BOOTTIME, &boot);
  const double since_boot =
      static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  const double boot_age =
      static_cast<double>(boot.tv_sec) + 1e-9 * static_cast<double>(boot.tv_nsec);
  return Seconds(WallNanos()) - boot_age + since_boot;
}

uint64_t CpuMicros() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000 +
         static_cast<uint64_t>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

}  // namespace

DriftMetrics::DriftMetrics(Metrics& metrics, const std::string& model, const std::string& version,
                           const std::string& test, const std::string& feature_group)
    : DriftMetrics(metrics, {{"model", model},
                             {"version", version},
                             {"test", test},
                             {"feature_group", feature_group}}) {}

DriftMetrics::DriftMetrics(Metrics& metrics, const Labels& labels)
    : statistic(MakeGauge(metrics, kDriftStatistic, labels)),
      p_value(MakeGauge(metrics, kDriftPValue, labels)),
      window_samples(MakeGauge(metrics, kDriftSamples, labels)),
      metrics_(metrics),
      labels_(labels) {
  p_value.Set(1);  // no sample yet is no evidence
}

void DriftMetrics::Remove() {
  for (const char* name : {kDriftStatistic, kDriftPValue, kDriftSamples})
    metrics_.Remove(name, labels_);
}

RoutingMetrics::RoutingMetrics(Metrics& metrics, const std::string& target)
    : regret_estimate(MakeGauge(metrics, "saferl_route_regret_estimate", {{"target", target}})),
      breaker_open(MakeGauge(metrics, "saferl_route_breaker_state", {{"target", target}})),
      metrics_(metrics),
      target_(target) {}

Counter& RoutingMetrics::Decisions(const std::string& reason) {
  return MakeCounter(metrics_, "saferl_route_decisions_total",
                     {{"target", target_}, {"reason", reason}});
}

SyncMetrics::SyncMetrics(Metrics& metrics)
    : backlog_bytes(MakeGauge(metrics, "saferl_sync_backlog_bytes")),
      oldest_age_s(MakeGauge(metrics, "saferl_sync_oldest_age_seconds")),
      duplicates(MakeCounter(metrics, "saferl_sync_duplicates_total")) {}

BackupMetrics::BackupMetrics(Metrics& metrics)
    : full(MakeGauge(metrics, kBackup, {{"kind", "full"}})),
      incremental(MakeGauge(metrics, kBackup, {{"kind", "incremental"}})),
      model(MakeGauge(metrics, kBackup, {{"kind", "model"}})),
      configuration(MakeGauge(metrics, kBackup, {{"kind", "configuration"}})) {}

BusinessMetrics::BusinessMetrics(Metrics& metrics)
    : tasks_succeeded(MakeCounter(metrics, kTasks, {{"outcome", "success"}})),
      tasks_failed(MakeCounter(metrics, kTasks, {{"outcome", "failure"}})),
      tasks_aborted(MakeCounter(metrics, kTasks, {{"outcome", "aborted"}})),
      satisfaction(MakeHistogram(metrics, "saferl_user_satisfaction_score", ScoreBuckets())),
      cost_micro_usd(MakeCounter(metrics, "saferl_cost_usd_total", {}, 1e6)),
      recovery_time(MakeHistogram(metrics, "saferl_recovery_duration_seconds", RecoveryBuckets())) {
}

void AddProcessMetrics(Metrics& metrics, const std::string& version, const std::string& commit) {
  MakeGauge(metrics, "saferl_build_info", {{"version", version}, {"commit", commit}}).Set(1);
  MakeGauge(metrics, "process_start_time_seconds").Set(StartTime());
  Counter& cpu = MakeCounter(metrics, "process_cpu_seconds_total", {}, 1e6);
  Gauge& resident = MakeGauge(metrics, "process_resident_memory_bytes");
  Gauge& address_space = MakeGauge(metrics, "process_virtual_memory_bytes");
  Gauge& open_files = MakeGauge(metrics, "process_open_fds");
  Gauge& max_files = MakeGauge(metrics, "process_max_fds");
  Gauge& threads = MakeGauge(metrics, "process_threads");
  auto mutex = std::make_shared<std::mutex>();
  metrics.OnScrape([=, &cpu, &resident, &address_space, &open_files, &max_files, &threads] {
    const std::lock_guard lock(*mutex);  // two scrapes at once would add the same time twice
    if (const uint64_t now = CpuMicros(), before = cpu.Value(); now > before) cpu.Add(now - before);
    unsigned long long total_pages = 0, resident_pages = 0;
    const std::string statm = ReadFile("/proc/self/statm").value_or("");
    if (std::sscanf(statm.c_str(), "%llu %llu", &total_pages, &resident_pages) == 2) {
      const double page = static_cast<double>(::sysconf(_SC_PAGESIZE));
      address_space.Set(page * static_cast<double>(total_pages));
      resident.Set(page * static_cast<double>(resident_pages));
    }
    open_files.Set(Entries("/proc/self/fd") - 1);  // less the directory itself
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    max_files.Set(static_cast<double>(limit.rlim_cur));
    threads.Set(Entries("/proc/self/task"));
  });
}

}  // namespace saferl::telemetry
