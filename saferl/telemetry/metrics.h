#pragma once
// Metrics: counters, gauges and histograms in Prometheus' text format, recorded without waiting.
//
//   Metrics metrics;
//   Counter& cycles = metrics.NewCounter("saferl_control_cycles_total", "Ticks of the control
//   loop"); cycles.Add();                    // from any thread metrics.Text();                  //
//   the body of GET /metrics
//
// Register at start (allocates, locks), keep the handle, record from any thread: every thread adds
// to a shard of its own, with no lock, no allocation and no wait. A scrape sums the shards. A
// thread that ends gives its shard to the next one; nothing counted is lost. Beyond 31 recording
// threads at a time the others share one shard by atomic addition. A thread that may not allocate
// calls Metrics::PrepareThread() first; without it, its first record allocates once.
//
// Names: Prometheus' conventions (base units, counters end in _total), checked by `promtool check
// metrics`. Every labelled child that an alert reads is created at start, at 0: increase() does not
// see a series that is born at 1. Label values that are not UTF-8 get U+FFFD for each bad byte.
// Series cap: past `max_series` of one name, every further set of labels shares one series whose
// label values are all "_other", and saferl_metrics_overflow_total counts the refusals.
//
// Errors: a malformed name, a second registration as another type, with other label names, other
// buckets or another unit aborts with a message (a programmer's error).
// RT: recording yes; registering and scraping no. Cost: telemetry_bench.
// Source: Prometheus exposition format 0.0.4; OpenMetrics 1.0.

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace saferl::telemetry {

using Labels = std::vector<std::pair<std::string, std::string>>;

namespace internal {

/// A shard per recording thread; the last one is shared by all threads that found none free.
inline constexpr uint32_t kShards = 32, kShared = kShards - 1, kNoShard = kShards;
/// Cells from one shard to the next: a page, and a cache line so that shards use different sets.
inline constexpr size_t kShardCells = 512, kStride = kShardCells + 8;
using Cell = std::atomic<uint64_t>;

extern constinit thread_local uint32_t thread_shard;
uint32_t TakeShard();
inline uint32_t Shard() {
  const uint32_t shard = thread_shard;
  return shard == kNoShard ? TakeShard() : shard;
}
inline void Add(Cell& cell, uint64_t n, bool shared) {
  if (shared) {
    cell.fetch_add(n, std::memory_order_relaxed);
  } else {
    cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
}
void AddReal(Cell& cell, double x, bool shared);

}  // namespace internal

/// Only goes up.
class Counter {
 public:
  void Add(uint64_t n = 1) {
    const uint32_t shard = internal::Shard();
    internal::Add(cell_[shard * internal::kStride], n, shard == internal::kShared);
  }
  uint64_t Value() const;  ///< sum of all threads

  explicit Counter(internal::Cell* cell) : cell_(cell) {}

 private:
  internal::Cell* cell_;
};

/// Goes up and down. Not sharded: the last Set wins.
class Gauge {
 public:
  void Set(double x) { value_.store(x, std::memory_order_relaxed); }
  void Add(double x) { value_.fetch_add(x, std::memory_order_relaxed); }
  double Value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

/// Counts observations in buckets "at most this much". NaN counts in +Inf; what is not finite is
/// left out of the sum.
class Histogram {
 public:
  void Observe(double x);
  /// A duration in a histogram of seconds.
  void ObserveNanos(int64_t nanos) { Observe(static_cast<double>(nanos) * 1e-9); }
  uint64_t Count() const;
  double Sum() const;

  /// `bounds`: n of them, then +Inf if that makes them even.
  Histogram(internal::Cell* cells, std::span<const double> bounds, size_t n)
      : cells_(cells),
        bounds_(bounds.data()),
        n_(static_cast<uint32_t>(n)),
        padded_(static_cast<uint32_t>(bounds.size())) {}

 private:
  internal::Cell* cells_;  // n + 1 buckets, not cumulative, then the sum
  const double* bounds_;
  uint32_t n_, padded_;
};

/// 250 ns to 10 s, 25 bounds; 2 s exact.
std::span<const double> LatencyBuckets();
/// 1, 2, 4 ... 1024: batches, queues.
std::span<const double> SizeBuckets();

enum class TextFormat : uint8_t { kPrometheus, kOpenMetrics };
/// What a scraper that sends this Accept header wants.
TextFormat NegotiateFormat(std::string_view accept);
std::string_view ContentType(TextFormat format);

class Metrics {
 public:
  explicit Metrics(size_t max_series = 1000);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// The same name and labels give the same object; it lives as long as Metrics. The text shows
  /// count / per_unit: 1e9 makes a counter of seconds that is fed with nanoseconds.
  Counter& NewCounter(std::string_view name, std::string_view help, const Labels& labels = {},
                      double per_unit = 1);
  Gauge& NewGauge(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram& NewHistogram(std::string_view name, std::string_view help,
                          std::span<const double> buckets, const Labels& labels = {});
  /// Forgets a gauge of a name that is no longer (an unloaded model's info); its handle is dead.
  void Remove(std::string_view name, Labels labels);
  /// Called before every scrape, to set what is only known by looking.
  void OnScrape(std::function<void()> update);
  std::string Text(TextFormat format = TextFormat::kPrometheus) const;

  /// Gives the calling thread its shard now.
  static void PrepareThread() { internal::Shard(); }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace saferl::telemetry
