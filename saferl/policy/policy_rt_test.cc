#include <gtest/gtest.h>

#include "saferl/base/rt_guard/rt_guard.h"
#include "saferl/policy/kernel.h"
#include "saferl/policy/quantise.h"
#include "saferl/policy/spec_builder.h"

namespace saferl::policy {
namespace {

/// The kernel, and whether the inner layer is int8.
class PolicyRealTime : public ::testing::TestWithParam<std::tuple<Kernel, int>> {};

TEST_P(PolicyRealTime, ForwardDoesNotAllocateLockFaultOrCallTheSystem) {
  const std::vector<int> hidden = {64, 64};
  const auto [kernel, bits] = GetParam();
  PolicySpec spec = MakeGaussianMlp(48, 8, hidden, 1);
  if (bits == 16) RoundWeights(&spec);
  if (bits == 8) spec = *Quantise(spec, 10, 1, 1);
  const auto made = PolicyAccess::CreateWithKernel(spec, kernel);
  ASSERT_EQ(made.ok(), CanRun(kernel));
  if (!made.ok()) return;
  const Policy& policy = **made;
  const std::vector<float> observation(48, 0.3F);
  std::vector<float> action(8);
  ASSERT_TRUE(policy.Forward(observation, action));
  bool ran = true;
  RtCounts counts;
  {
    const RtScope scope(&counts);
    for (int i = 0; i < 1000; ++i) ran = ran && policy.Forward(observation, action);
  }
  EXPECT_TRUE(ran);
  EXPECT_EQ(counts.allocations, 0);
  EXPECT_EQ(counts.frees, 0);
  EXPECT_EQ(counts.locks, 0);
  EXPECT_EQ(counts.page_faults, 0);
  const auto calls = CountSyscalls([&] {
    for (int i = 0; i < 1000; ++i) policy.Forward(observation, action);
  });
  ASSERT_TRUE(calls.ok()) << calls.status();
  EXPECT_EQ(calls->calls, 0) << "first: " << calls->first;
}

INSTANTIATE_TEST_SUITE_P(EachKernel, PolicyRealTime,
                         ::testing::Combine(::testing::Values(Kernel::kPortable, Kernel::kAvx2),
                                            ::testing::Values(32, 16, 8)),
                         [](const auto& test) {
                           return std::string(Name(std::get<0>(test.param))) + "_" +
                                  std::to_string(std::get<1>(test.param));
                         });

}  // namespace
}  // namespace saferl::policy
