// What the bench of the Tick counts; how long things take is nobody's test.
#include "saferl/control/bench_tick.h"

#include <gtest/gtest.h>

#include <set>

namespace saferl::control {
namespace {

TEST(BenchTick, CountsEveryTickOnceAndOrdersItsPercentiles) {
  constexpr uint64_t kTicks = 500;
  const StatusOr<TickBench> bench = BenchTick("arm7", kTicks);
  ASSERT_TRUE(bench.ok()) << bench.status();
  EXPECT_EQ(bench->robot, "arm7");
  EXPECT_EQ(bench->ticks, kTicks);
  EXPECT_EQ(bench->nominal, kTicks) << "the workload must not measure a standing robot";
  EXPECT_LE(bench->crowded_ticks, kTicks);
  EXPECT_GT(bench->crowded_ticks, 0U) << "the worker stands within reach";
  EXPECT_LE(bench->searched_ticks, bench->changed_ticks);
  EXPECT_LE(static_cast<double>(bench->min_rows), bench->mean_rows);
  EXPECT_LE(bench->mean_rows, static_cast<double>(bench->max_rows));
  for (const Spread& s : {bench->total, bench->crowded, bench->noise_floor}) {
    EXPECT_LE(s.p50_us, s.p99_us);
    EXPECT_LE(s.p99_us, s.p99_9_us);
    EXPECT_LE(s.p99_9_us, s.max_us);
  }
  EXPECT_GT(bench->total.p50_us, 0);
  double stages = 0;
  std::set<std::string> names;
  for (size_t i = 0; i < kNumStages; ++i) {
    stages += bench->stage[i].p50_us;
    names.insert(Name(static_cast<Stage>(i)));
  }
  EXPECT_EQ(names.size(), kNumStages);
  EXPECT_GT(stages, 0);
}

TEST(BenchTick, AnUnknownRobotIsSaid) {
  const auto bench = BenchTick("no_such_robot", 10);
  ASSERT_FALSE(bench.ok());
  EXPECT_NE(bench.status().message().find("no_such_robot"), std::string_view::npos);
}

}  // namespace
}  // namespace saferl::control
