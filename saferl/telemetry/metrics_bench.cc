// Cost of recording and of a scrape, beside the plain atomic addition that it replaces.
#include <benchmark/benchmark.h>

#include "saferl/base/text.h"
#include "saferl/telemetry/metrics.h"

namespace saferl::telemetry {
namespace {

struct Bench {
  Metrics metrics{100'000};
  Counter& counter = metrics.NewCounter("x_total", "x");
  Gauge& gauge = metrics.NewGauge("g", "g");
  Histogram& histogram = metrics.NewHistogram("h", "h", LatencyBuckets());
  std::atomic<uint64_t> plain{0};
};
Bench& Shared() {
  static Bench* bench = new Bench;
  return *bench;
}

void BM_CounterAdd(benchmark::State& state) {
  Counter& counter = Shared().counter;
  for (auto _ : state) counter.Add();
}
BENCHMARK(BM_CounterAdd)->Threads(1)->Threads(2);

void BM_AtomicAdd(benchmark::State& state) {
  auto& plain = Shared().plain;
  for (auto _ : state) plain.fetch_add(1, std::memory_order_relaxed);
}
BENCHMARK(BM_AtomicAdd)->Threads(1)->Threads(2);

void BM_GaugeSet(benchmark::State& state) {
  Gauge& gauge = Shared().gauge;
  double x = 0;
  for (auto _ : state) gauge.Set(x += 1);
}
BENCHMARK(BM_GaugeSet);

/// Values over all buckets, in an order that a branch predictor cannot learn.
void BM_HistogramObserve(benchmark::State& state) {
  Histogram& histogram = Shared().histogram;
  uint32_t random = 1;
  for (auto _ : state) {
    random = random * 1664525 + 1013904223;
    histogram.Observe(250e-9 * static_cast<double>(1u << (random >> 27)));
  }
}
BENCHMARK(BM_HistogramObserve)->Threads(1)->Threads(2);

/// Series as Prometheus counts them: lines of the text.
void BM_Scrape5000Series(benchmark::State& state) {
  Metrics metrics;
  for (int i = 0; i < 1000; ++i) {
    metrics
        .NewCounter("saferl_bench_requests_total", "Requests",
                    {{"model", "wheelchair"}, {"code", Cat(i)}})
        .Add(1000);
  }
  for (int i = 0; i < 143; ++i) {
    metrics
        .NewHistogram("saferl_bench_duration_seconds", "Durations", LatencyBuckets(),
                      {{"model", "wheelchair"}, {"stage", Cat(i)}})
        .Observe(1e-3);
  }
  size_t bytes = 0;
  for (auto _ : state) bytes = metrics.Text().size();
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(BM_Scrape5000Series)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace saferl::telemetry
