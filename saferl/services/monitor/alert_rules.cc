#include "saferl/services/monitor/alert_rules.h"

#include <sys/statvfs.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <sstream>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

struct RuleRow {
  AlertName alert;
  const char *key, *value, *what;
};
constexpr RuleRow kRows[] = {
    {AlertName::kHighErrorRate, "component", "service", "of the requests failed (5xx)"},
    {AlertName::kHighLatency, "component", "service", "of the requests were too slow"},
    {AlertName::kHighUtilisation, "resource", "cpu", "of the processors is in use"},
    {AlertName::kHighUtilisation, "resource", "memory", "of the memory is in use"},
    {AlertName::kHighUtilisation, "resource", "disk", "of the data folder's disk is in use"},
};

std::string Percent(double share) { return Cat(std::round(share * 1000) / 10, " %"); }

/// The number after "NAME:" in /proc/meminfo [kB].
double MemoryOf(const std::string& text, const std::string& name) {
  const size_t at = text.find(name + ":");
  if (at == std::string::npos) return 0;
  return std::strtod(text.c_str() + at + name.size() + 1, nullptr);
}

}  // namespace

void ServiceCounts::Count(int status, int64_t duration_ns, double latency_s) {
  requests.fetch_add(1, std::memory_order_relaxed);
  if (status >= 500) errors.fetch_add(1, std::memory_order_relaxed);
  if (duration_ns > FromSeconds(latency_s)) slow.fetch_add(1, std::memory_order_relaxed);
}

void AlertRules::Judge(Rule rule, int64_t now_ns, double value, double threshold) {
  State& state = states_[rule];
  const bool asks = state.on ? value <= threshold * options_.hysteresis : value > threshold;
  if (!asks) {
    state.since_ns = -1;
    return;
  }
  if (state.since_ns < 0) state.since_ns = now_ns;
  if (now_ns - state.since_ns < FromSeconds(state.on ? options_.clear_s : options_.for_s)) return;
  const RuleRow& row = kRows[rule];
  const AlertLabels labels = {{row.key, row.value}};
  if (state.on) {
    alerts_->Resolve(row.alert, labels);
  } else {
    alerts_->Raise(row.alert, labels,
                   Cat(Percent(value), " ", row.what, ", threshold ", Percent(threshold)));
  }
  state.on = !state.on;
  state.since_ns = -1;
}

void AlertRules::Look(int64_t now_ns, const ServiceSample& sample) {
  window_.push_back({now_ns, sample.requests, sample.errors, sample.slow});
  // The newest that is a whole window old is where the window begins.
  while (window_.size() > 2 && now_ns - window_[1].at_ns >= FromSeconds(options_.window_s))
    window_.pop_front();
  const Counted& first = window_.front();
  const uint64_t requests = sample.requests - first.requests;
  const auto share = [&](uint64_t bad) {
    return requests < options_.least_requests
               ? 0.0
               : static_cast<double>(bad) / static_cast<double>(requests);
  };
  Judge(kErrors, now_ns, share(sample.errors - first.errors), options_.error_share);
  Judge(kLatency, now_ns, share(sample.slow - first.slow), options_.latency_share);
  if (sample.cpu) Judge(kCpu, now_ns, *sample.cpu, options_.utilisation);
  if (sample.memory) Judge(kMemory, now_ns, *sample.memory, options_.utilisation);
  if (sample.disk) Judge(kDisk, now_ns, *sample.disk, options_.utilisation);
}

void UtilisationReader::Read(ServiceSample* sample) {
  std::istringstream stat(ReadFile("/proc/stat").value_or(""));
  std::string name;
  uint64_t total = 0, idle = 0, n = 0;
  stat >> name;
  for (int field = 0; field < 8 && stat >> n; ++field) {
    total += n;
    if (field == 3 || field == 4) idle += n;  // idle, iowait
  }
  const uint64_t busy = total - idle;
  if (total_ != 0 && total > total_ && busy >= busy_)
    sample->cpu = static_cast<double>(busy - busy_) / static_cast<double>(total - total_);
  busy_ = busy;
  total_ = total;
  const std::string memory = ReadFile("/proc/meminfo").value_or("");
  const double all = MemoryOf(memory, "MemTotal"), left = MemoryOf(memory, "MemAvailable");
  if (all > 0) sample->memory = 1 - left / all;
  struct statvfs disk{};
  if (::statvfs(data_dir_.c_str(), &disk) == 0 && disk.f_blocks > 0)
    sample->disk = 1 - static_cast<double>(disk.f_bavail) / static_cast<double>(disk.f_blocks);
}

AlertWatch::AlertWatch(const AlertRuleOptions& options, const ServiceCounts* counts, Alerts* alerts,
                       const std::string& data_dir)
    : options_(options),
      counts_(counts),
      rules_(options, alerts),
      machine_(data_dir),
      thread_([this] { Run(); }) {}

AlertWatch::~AlertWatch() {
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void AlertWatch::Run() {
  std::unique_lock lock(mutex_);
  while (!end_) {
    ServiceSample sample;
    sample.requests = counts_->requests.load(std::memory_order_relaxed);
    sample.errors = counts_->errors.load(std::memory_order_relaxed);
    sample.slow = counts_->slow.load(std::memory_order_relaxed);
    machine_.Read(&sample);
    rules_.Look(Nanos(), sample);
    changed_.wait_for(lock, std::chrono::nanoseconds(FromSeconds(options_.every_s)),
                      [this] { return end_; });
  }
}

}  // namespace saferl::services
