#pragma once
// The project's metrics by area, as types: a service makes the areas that it has and records
// through their handles. Names, types, labels and help stand once, in catalogue_table.cc;
// docs/metrics.md is made from it and a test compares the two.
//
// Children that an alert reads exist at 0 from construction on. Everything lives as long as the
// Metrics object, which must outlive the areas. RT: recording through a handle yes; constructing
// and looking up no. Errors: as Metrics (a programmer's error aborts).
// Source: prometheus.io naming rules; the specification's families: performance, safety, business,
// availability.

#include <array>
#include <atomic>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/telemetry/metrics.h"

namespace saferl::telemetry {

/// One row of the catalogue. `labels`: names, separated by commas. `type`: counter, gauge,
/// histogram.
struct MetricInfo {
  std::string_view area, name, type, labels, help;
};
std::span<const MetricInfo> CatalogueTable();
/// The text of docs/metrics.md.
std::string CatalogueMarkdown();

enum class Arm : uint8_t { kStable, kCanary, kShadow };
enum class Transport : uint8_t { kHttp, kGrpc, kWebSocket, kSharedMemory };
enum class Severity : uint8_t { kWarning, kCritical };
inline constexpr size_t kArms = 3, kTransports = 4, kSeverities = 2;
std::string_view Name(Arm arm);
std::string_view Name(Transport transport);
std::string_view Name(Severity severity);

/// Counts by status code: a child is made when its code first comes (locks once), then found
/// without a lock. Codes are those of HTTP; gRPC's are mapped to them first.
class CodeCounters {
 public:
  CodeCounters(Metrics& metrics, std::string name, Labels labels)
      : metrics_(metrics), name_(std::move(name)), labels_(std::move(labels)) {}
  void Add(int code);

 private:
  struct Entry {
    std::atomic<Counter*> counter{nullptr};
    int code = 0;
  };
  Metrics& metrics_;
  std::string name_;
  Labels labels_;
  std::mutex mutex_;
  std::array<Entry, 24> entries_;
};

/// Of one served version of a model; made when it loads.
class ModelMetrics {
 public:
  ModelMetrics(Metrics& metrics, const std::string& model, const std::string& version);
  /// saferl_model_info = 1 from Loaded to Unloaded.
  void Loaded(const std::string& sha256, const std::string& quant, double seconds);
  void Unloaded();
  CodeCounters& Requests(Arm arm, Transport transport);

  Histogram &queue, &compute, &total;  ///< stages of a request [s]
  Histogram &batch_size, &load_duration;
  Gauge &queue_depth, &sequences;
  Counter& evicted_idle;

 private:
  Metrics& metrics_;
  std::string model_, version_;
  Labels info_;
  std::vector<std::unique_ptr<CodeCounters>> requests_;
};

struct ControlMetrics {
  explicit ControlMetrics(Metrics& metrics);
  Counter &cycles, &deadline_misses;
  Histogram& jitter;  ///< of the time between two ticks [s]
};

/// `constraints`: names of what can be violated; calls take their position in that list.
class ViolationMetrics {
 public:
  ViolationMetrics(Metrics& metrics, std::span<const std::string> constraints);
  Counter& Violations(size_t constraint, Severity severity, Arm arm);

 private:
  std::vector<Counter*> violations_;
};

/// And what robots did and were kept from.
class SafetyMetrics : public ViolationMetrics {
 public:
  SafetyMetrics(Metrics& metrics, std::span<const std::string> constraints);
  Counter& ShieldInterventions(size_t constraint, Arm arm);
  Counter& Stops(Arm arm);          ///< the person asked for a stop
  Counter& ExposureNanos(Arm arm);  ///< time under control; shown in seconds

 private:
  std::vector<Counter*> shield_, stops_, exposure_;
};

/// Of one model's rollout. The lists are the state machine's own names.
class RolloutMetrics {
 public:
  RolloutMetrics(Metrics& metrics, const std::string& model, std::span<const std::string> states,
                 std::span<const std::string> gates, std::span<const std::string> reasons);
  void SetState(size_t state);  ///< 1 for this one, 0 for the others
  Gauge& LogEvalue(size_t gate);
  Counter& Rollbacks(size_t reason);
  Gauge& weight_ratio;
  Histogram& rollback_duration;

 private:
  std::vector<Gauge*> states_, gates_;
  std::vector<Counter*> rollbacks_;
};

enum class AuthFailure : uint8_t { kMissing, kInvalid, kExpired, kForbidden, kLocked };

/// Of one service's HTTP and gRPC port. Route() is for start-up: keep the reference.
class HttpMetrics {
 public:
  HttpMetrics(Metrics& metrics, const std::string& service);
  struct Route {
    Histogram& duration;
    CodeCounters requests;
  };
  Route& ForRoute(std::string_view method, std::string_view pattern);
  Counter& AuthFailures(AuthFailure reason);
  Gauge& connections;
  Counter &sent_bytes, &rejected;  ///< rejected: queue full, limit reached, draining

 private:
  Metrics& metrics_;
  std::string service_;
  std::mutex mutex_;
  std::vector<std::pair<std::string, std::unique_ptr<Route>>> routes_;
  std::vector<Counter*> auth_;
};

/// Of one store: "rows", "objects" or "cache".
class StorageMetrics {
 public:
  StorageMetrics(Metrics& metrics, const std::string& store);
  struct Operation {
    Histogram& duration;
    Counter &ok, &failed;
  };
  Operation ForOperation(const std::string& operation);
  Counter &cache_hits, &cache_misses;
  Gauge& breaker_open;  ///< 1: the last call found the store away

 private:
  Metrics& metrics_;
  std::string store_;
};

}  // namespace saferl::telemetry
