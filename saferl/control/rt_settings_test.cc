// What the machine grants, and what is said when it does not.
#include "saferl/control/rt_settings.h"

#include <gtest/gtest.h>

#include <sched.h>

#include <thread>

namespace saferl::control {
namespace {

constexpr RtSettings kNothing = {
    .fifo = Requirement::kOff, .lock_memory = Requirement::kOff, .affinity = Requirement::kOff};

/// Applies to a thread of its own, so that the test program stays as it is.
StatusOr<RtGranted> Apply(const RtSettings& settings) {
  StatusOr<RtGranted> granted = absl::UnknownError("not run");
  std::thread([&] { granted = ApplyRtSettings(settings); }).join();
  return granted;
}

TEST(RtSettings, OffAsksForNothing) {
  const auto granted = Apply(kNothing);
  ASSERT_TRUE(granted.ok()) << granted.status();
  EXPECT_EQ(granted->fifo_priority, 0);
  EXPECT_FALSE(granted->memory_locked);
  EXPECT_EQ(granted->processor, -1);
  EXPECT_TRUE(granted->warnings.empty());
}

TEST(RtSettings, AProcessorThatIsThereIsTaken) {
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
  RtSettings settings = kNothing;
  settings.affinity = Requirement::kRequire;
  while (!CPU_ISSET(static_cast<size_t>(settings.processor), &allowed)) ++settings.processor;
  int ran_on = -1;
  StatusOr<RtGranted> granted = absl::UnknownError("not run");
  std::thread([&] {
    granted = ApplyRtSettings(settings);
    ran_on = sched_getcpu();
  }).join();
  ASSERT_TRUE(granted.ok()) << granted.status();
  EXPECT_EQ(granted->processor, settings.processor);
  EXPECT_EQ(ran_on, settings.processor);
}

TEST(RtSettings, AProcessorThatIsNotThereIsAnErrorOrAWarning) {
  RtSettings settings = kNothing;
  for (const int processor : {-1, CPU_SETSIZE - 1, CPU_SETSIZE}) {
    settings.processor = processor;
    settings.affinity = Requirement::kRequire;
    const Status refused = Apply(settings).status();
    EXPECT_FALSE(refused.ok());
    EXPECT_NE(refused.message().find("realtime.affinity"), std::string_view::npos) << refused;
    settings.affinity = Requirement::kWarn;
    const auto granted = Apply(settings);
    ASSERT_TRUE(granted.ok()) << granted.status();
    EXPECT_EQ(granted->processor, -1);
    ASSERT_EQ(granted->warnings.size(), 1U);
  }
}

TEST(RtSettings, APriorityThatDoesNotExistIsRefused) {
  RtSettings settings = kNothing;
  settings.fifo = Requirement::kRequire;
  settings.fifo_priority = 1000;
  const Status refused = Apply(settings).status();
  EXPECT_FALSE(refused.ok());
  EXPECT_NE(refused.message().find("realtime.fifo"), std::string_view::npos) << refused;
  settings.fifo = Requirement::kWarn;
  const auto granted = Apply(settings);
  ASSERT_TRUE(granted.ok()) << granted.status();
  EXPECT_EQ(granted->fifo_priority, 0);
  EXPECT_EQ(granted->warnings.size(), 1U);
}

}  // namespace
}  // namespace saferl::control
