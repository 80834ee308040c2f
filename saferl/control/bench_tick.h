#pragma once
// Measures the Tick: whole and per stage, beside the noise floor of an empty loop in the same run.
//
// Reported is compute time with warm caches; BenchPaced runs the loop as saferl_rt does, with what
// sleep and cold caches add. Counts of allocations, locks, system calls and page faults come from
// tick_rt_test (base/rt_guard), which owns malloc. Units: us. RT: no. Errors: what loading the
// robot may say.

#include <array>
#include <cstdint>
#include <string>

#include "saferl/base/status.h"
#include "saferl/control/tick.h"

namespace saferl::control {

/// From this many rows on a tick counts as crowded.
inline constexpr uint64_t kCrowdedRows = 20;

struct Spread {
  double p50_us = 0, p99_us = 0, p99_9_us = 0, max_us = 0;
};

struct TickBench {
  std::string robot;
  uint64_t ticks = 0;
  Spread total;                          ///< stage clocks off
  std::array<Spread, kNumStages> stage;  ///< from a second run with stage clocks on
  Spread crowded;   ///< ticks whose QP had at least kCrowdedRows rows; zero when there were none
  Spread searched;  ///< ticks that had to search between braking and the wish; zero without any
  uint64_t crowded_ticks = 0, searched_ticks = 0;
  uint64_t changed_ticks = 0;  ///< the filter sent something else than it was asked for
  Spread noise_floor;          ///< two clock reads around nothing
  double mean_rows = 0, mean_bisections = 0;
  uint64_t min_rows = 0, max_rows = 0;
  uint64_t nominal = 0;  ///< ticks in Nominal mode: the bench must not measure a standing robot
};

const char* Name(Stage stage);

StatusOr<TickBench> BenchTick(const std::string& robot_name_or_path, uint64_t ticks = 100'000);

/// Ticks at the robot's own period through RunLoop, between them asleep.
struct PacedBench {
  uint64_t ticks = 0, slips = 0;
  Spread wake;     ///< how late a tick began
  Spread compute;  ///< from reading the inputs to handing out the command
};
/// `early_ns` as in LoopModel.
StatusOr<PacedBench> BenchPaced(const std::string& robot_name_or_path, uint64_t ticks,
                                int64_t early_ns);

}  // namespace saferl::control
