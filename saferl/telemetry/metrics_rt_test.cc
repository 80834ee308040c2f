// Recording keeps the real-time rules: no allocation, lock, page fault or system call.
#include <gtest/gtest.h>

#include "saferl/base/rt_guard/rt_guard.h"
#include "saferl/telemetry/metrics.h"

namespace saferl::telemetry {
namespace {

TEST(MetricsRt, RecordingNeitherAllocatesNorLocksNorCalls) {
  Metrics metrics;
  Counter& counter = metrics.NewCounter("x_total", "x");
  Gauge& gauge = metrics.NewGauge("g", "g");
  Histogram& histogram = metrics.NewHistogram("h", "h", LatencyBuckets());
  Metrics::PrepareThread();
  const auto record = [&] {
    for (int i = 0; i < 1000; ++i) {
      counter.Add();
      gauge.Set(i);
      histogram.Observe(1e-6 * i);
    }
  };
  record();  // touches code and cells
  RtCounts counts;
  {
    RtScope scope(&counts);
    record();
  }
  EXPECT_EQ(counts.allocations + counts.frees + counts.locks + counts.page_faults, 0);
  const StatusOr<SyscallCount> calls = CountSyscalls(record);
  ASSERT_TRUE(calls.ok()) << calls.status();
  EXPECT_EQ(calls->calls, 0) << "first: " << calls->first;
}

}  // namespace
}  // namespace saferl::telemetry
