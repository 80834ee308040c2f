// A recorded hour of driving (180,000 ticks at 50 Hz) replays bit for bit, in well under a minute.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>

#include "saferl/base/clock.h"
#include "saferl/base/data_path.h"
#include "saferl/control/decision_log.h"
#include "saferl/control/replay.h"
#include "saferl/control/workload.h"

namespace saferl::control {
namespace {

constexpr uint64_t kHour = 180'000;

TEST(Replay, ARecordedHourIsBitEqual) {
  const auto model = MakeBenchModel("wheelchair");
  ASSERT_TRUE(model.ok()) << model.status();
  const std::string path = testing::TempDir() + "saferl_hour.mcap";
  const auto info = DescribeModel(*model, *FindNamed("wheelchair", "robots", ".yaml"));
  ASSERT_TRUE(info.ok()) << info.status();
  auto log = DecisionLogWriter::Create(path, *info, *model->safety->robot);
  ASSERT_TRUE(log.ok()) << log.status();
  const auto data = Prepare(*model);
  Workload workload(model->safety->robot);
  const auto decision = std::make_unique<Decision>();
  for (uint64_t k = 0; k < kHour; ++k) {
    TickInput input = workload.Next();
    robot::Observation& o = input.observation;
    o.n_lidar /= 5;  // every fifth beam points where beam i of 72 does
    for (int i = 0; i < o.n_lidar; ++i) o.lidar_m[i] = o.lidar_m[5 * i];
    if (k % 5000 == 4000) input.human.stop = true;
    if (k % 5000 == 4500) input.human.acknowledge = true;
    Tick(*model, input, data.get(), decision.get());
    ASSERT_TRUE((*log)->Write(*decision).ok());
    workload.Apply(decision->command);
  }
  ASSERT_TRUE((*log)->Close().ok());
  const int64_t start = Nanos();
  const auto report = Replay(path, *model);
  std::printf("replayed an hour in %.1f s from %.0f MB\n", Seconds(Nanos() - start),
              static_cast<double>((*log)->bytes()) * 1e-6);
  std::remove(path.c_str());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->ticks, kHour);
  EXPECT_TRUE(report->identical) << report->first_difference << ": " << report->difference;
}

}  // namespace
}  // namespace saferl::control
