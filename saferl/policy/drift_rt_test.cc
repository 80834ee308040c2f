#include <gtest/gtest.h>

#include "saferl/base/rt_guard/rt_guard.h"
#include "saferl/policy/drift.h"
#include "saferl/policy/spec_builder.h"

namespace saferl::policy {
namespace {

/// Over the ends of blocks, with a detector that takes some of them and with one that takes none.
TEST(DriftRealTime, RecordingDoesNotAllocateLockFaultOrCallTheSystem) {
  const std::vector<int> hidden = {16};
  DriftDetector detector(MakeGaussianMlp(48, 8, hidden, 1), {});
  const auto stream = detector.AddStream();
  const std::vector<float> observation(48, 0.3F), action(8, 0.1F);
  const auto record = [&](int samples) {
    for (int i = 0; i < samples; ++i) {
      stream->Record(observation, action, 0);
      stream->TryRecord(observation, action);
    }
  };
  record(2560);
  detector.Collect();
  RtCounts counts;
  {
    const RtScope scope(&counts);
    record(10'000);
  }
  EXPECT_EQ(counts.allocations, 0);
  EXPECT_EQ(counts.frees, 0);
  EXPECT_EQ(counts.locks, 0);
  EXPECT_EQ(counts.page_faults, 0);
  const auto calls = CountSyscalls([&] { record(1000); });
  ASSERT_TRUE(calls.ok()) << calls.status();
  EXPECT_EQ(calls->calls, 0) << "first: " << calls->first;
}

}  // namespace
}  // namespace saferl::policy
