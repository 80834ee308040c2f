#pragma once
// The monitors of Theorem 2's physical assumptions: what the proof takes for granted is watched
// while the robot runs.
//
//   kPersonJumped        a part moved more than 2 epsilon + v_h dt since its last measurement
//   kPersonTooFast       the same since any older measurement of the last second
//   kTrackingError       measured rate outside what the commands in flight allow, plus the stated
//   errors kBrakeFade           the same while slowing down: the robot is faster than the strongest
//   command that can act kConstraintViolated  a joint limit, an interaction torque or an overlap is
//   measured as broken beyond its error
// Every test is exact: data that keeps the stated bounds never trips it, whatever its noise.
// Ages, stamps, finiteness and lateness are control/input_check.h's.
//
// Units: SI, ns. RT: yes. Errors: none. Preconditions: finite observation (input_check passed it).
// Cost: about 0.1 us, and 10 ns for each measurement that is kept of a part (few: PartHistory).
// Source: docs/safety.md, assumptions A-1...; ASTM F3269-21 (each assumption of a run-time
// assurance has a monitor).

#include <array>
#include <cstdint>

#include "saferl/robot/types.h"
#include "saferl/safety/filter.h"
#include "saferl/safety/latch.h"

namespace saferl::safety {

struct AssumptionModel {
  double rate_tolerance = 1e-6;      ///< added to every rate bound: rounding [command unit]
  double position_tolerance = 1e-6;  ///< added to every distance bound: rounding [m, rad]
};

/// The measurements of one part that can still show a breach, oldest first, the last one always.
/// A measurement from which the part has come no faster than v_h to a newer one is dropped: by the
/// triangle inequality whatever it could show, the newer one shows as well. So the few that stay
/// decide like every measurement of the last second would: exactly, for trackers of up to kKept
/// measurements a second. When faster ones leave more than there is room for (a part that keeps
/// running, or trembles by far more than v_h times the period), the one that leads the next one by
/// the least goes.
struct PartHistory {
  static constexpr int kKept = 64;
  static constexpr int64_t kWindow_ns = 1'000'000'000;
  struct Measurement {
    math::Vec3 a_W, b_W;
    int64_t stamp_ns = 0;
  };
  bool used = false;
  uint8_t person = 0;
  uint16_t track = 0;
  int64_t last_seen_ns = 0;
  int n = 0;
  std::array<Measurement, kKept> kept{};
};

/// What the monitors remember. Zero = first tick.
struct AssumptionData {
  static constexpr int kMaxInFlight = 32;
  std::array<PartHistory, robot::kMaxParts> part{};
  int n_sent = 0;                                  ///< commands remembered
  std::array<robot::Joints, kMaxInFlight> sent{};  ///< newest first
  std::array<int64_t, kMaxInFlight> sent_ns{};     ///< when each left
  bool started = false;
  int64_t last_now_ns = 0;
};

/// One pass over a usable observation. `previous` is the command that left last.
ReasonSet CheckAssumptions(const SafetyModel& safety, const AssumptionModel& model,
                           const robot::Observation& observation, int64_t now_ns,
                           const robot::Joints& previous, AssumptionData* data);

}  // namespace saferl::safety
