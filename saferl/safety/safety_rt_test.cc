// The whole safety path of a tick allocates nothing, locks nothing, faults no page and makes no
// system call.
#include <gtest/gtest.h>

#include "saferl/base/rt_guard/rt_guard.h"
#include "saferl/safety/assumptions.h"
#include "saferl/safety/filter.h"
#include "saferl/safety/gate.h"
#include "saferl/safety/latch.h"
#include "saferl/safety/testing/cases.h"

namespace saferl::safety {
namespace {

struct State {
  FilterData filter;
  AssumptionData assumptions;
  LatchData latch;
};

void OneTick(const testing::Case& c, const robot::Joints& wanted, Mode mode, State* state) {
  LatchInput latch;
  latch.now_ns = c.now_ns;
  latch.reasons =
      CheckAssumptions(*c.model, {}, c.observation, c.now_ns, c.previous, &state->assumptions);
  UpdateLatch({}, latch, &state->latch);
  state->filter.previous = c.previous;
  const FilterResult r = Filter(*c.model, c.observation, c.now_ns, wanted, mode, &state->filter);
  const GateResult g = Gate(*c.model->robot, c.observation.robot, c.previous, r.command, mode,
                            r.reason, c.now_ns, 1);
  Commit(g.command.u, &state->filter);
}

class SafetyRt : public ::testing::TestWithParam<const char*> {};

TEST_P(SafetyRt, TheSafetyPathKeepsTheRealTimeRules) {
  testing::Case c = testing::MakeCase(GetParam());
  ASSERT_NE(c.model, nullptr);
  auto state = std::make_unique<State>();
  for (const Mode mode : {Mode::kNominal, Mode::kHold, Mode::kControlledStop}) {
    for (const robot::Joints& wanted : {c.easy, c.hard}) {
      OneTick(c, wanted, mode, state.get());  // touch every page once
      RtCounts counts;
      {
        RtScope scope(&counts);
        for (int i = 0; i < 20; ++i) OneTick(c, wanted, mode, state.get());
      }
      EXPECT_EQ(counts.allocations, 0);
      EXPECT_EQ(counts.frees, 0);
      EXPECT_EQ(counts.locks, 0);
      EXPECT_EQ(counts.page_faults, 0);
    }
  }
  const auto calls = CountSyscalls([&] { OneTick(c, c.hard, Mode::kNominal, state.get()); });
  if (calls.ok()) {
    EXPECT_EQ(calls->calls, 0) << "first: " << calls->first;
  }
}

INSTANTIATE_TEST_SUITE_P(Robots, SafetyRt, ::testing::Values("wheelchair", "arm7", "exoskeleton"));

}  // namespace
}  // namespace saferl::safety
