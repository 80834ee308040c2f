#pragma once
// The deployment guide's alerts about a service itself: high error rate (above 5 %), high latency
// (above 2 s), high resource utilisation (above 80 %).
//
// ServiceCounts is fed by every answered request (wait-free). AlertRules judges samples of it: a
// value that stays above its threshold for `for_s` raises the alert; one that stays at or below
// threshold x hysteresis for `clear_s` resolves it; anything between changes nothing, so that a
// value at the threshold does not flap. Shares are of the requests of the last `window_s`; fewer
// than least_requests say nothing and count as 0. AlertWatch does it every `every_s` on a thread.
// Latency is high when more than latency_share of the requests took longer than latency_s: the 99th
// percentile is above it. Utilisation: CPU and memory of the machine (/proc/stat, /proc/meminfo),
// the file system of the data folder; what cannot be read is not judged.
// Units: s, shares 0 to 1. RT: no. Errors: none.

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "saferl/services/monitor/alerts.h"

namespace saferl::services {

struct AlertRuleOptions {
  double error_share = 0.05, latency_s = 2, latency_share = 0.01, utilisation = 0.8;
  double window_s = 60, for_s = 30, clear_s = 60, hysteresis = 0.8, every_s = 5;
  uint64_t least_requests = 20;
};

struct ServiceCounts {
  std::atomic<uint64_t> requests{0}, errors{0}, slow{0};
  void Count(int status, int64_t duration_ns, double latency_s);
};

/// What was seen at one moment; counts since the start.
struct ServiceSample {
  uint64_t requests = 0, errors = 0, slow = 0;
  std::optional<double> cpu, memory, disk;  ///< shares in use
};

class AlertRules {
 public:
  AlertRules(const AlertRuleOptions& options, Alerts* alerts)
      : options_(options), alerts_(alerts) {}
  /// Times go forward.
  void Look(int64_t now_ns, const ServiceSample& sample);

 private:
  enum Rule : size_t { kErrors, kLatency, kCpu, kMemory, kDisk, kRules };
  struct State {
    bool on = false;
    int64_t since_ns = -1;  ///< since when the value asks for the other state
  };
  struct Counted {
    int64_t at_ns;
    uint64_t requests, errors, slow;
  };
  void Judge(Rule rule, int64_t now_ns, double value, double threshold);

  const AlertRuleOptions options_;
  Alerts* alerts_;
  std::deque<Counted> window_;
  std::array<State, kRules> states_;
};

/// Reads the machine; not thread-safe.
class UtilisationReader {
 public:
  explicit UtilisationReader(std::string data_dir) : data_dir_(std::move(data_dir)) {}
  void Read(ServiceSample* sample);  ///< CPU: since the last call, so not in the first

 private:
  const std::string data_dir_;
  uint64_t busy_ = 0, total_ = 0;
};

class AlertWatch {
 public:
  /// `counts` and `alerts` must outlive it.
  AlertWatch(const AlertRuleOptions& options, const ServiceCounts* counts, Alerts* alerts,
             const std::string& data_dir);
  ~AlertWatch();
  AlertWatch(const AlertWatch&) = delete;
  AlertWatch& operator=(const AlertWatch&) = delete;

 private:
  void Run();
  const AlertRuleOptions options_;
  const ServiceCounts* counts_;
  AlertRules rules_;
  UtilisationReader machine_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool end_ = false;
  std::thread thread_;
};

}  // namespace saferl::services
