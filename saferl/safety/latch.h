#pragma once
// The mode ladder with its latches: what the robot may do now, given what is wrong now and what was
// wrong before.
//
// Demands are merged by max(). A demand raises the mode in the same tick; what lowers it again
// depends on the mode:
//   Nominal, Degraded  follow the demand.
//   Hold               ends when no reason demands it any more.
//   ControlledStop     ends when the robot is at rest and nothing has demanded a stop for
//   `dwell_ns`. ProtectiveStop     ends when a person acknowledges while the robot is at rest and
//   nothing demands a stop;
//                      an acknowledgement that arrives earlier, or is held from before, is worth
//                      nothing.
// A stop request is a demand like any other and always wins: an acknowledgement in the same tick
// does not clear it.
//
// RT: yes. Errors: none; an unknown reason demands ProtectiveStop.
// Source: DESIGN section 4; IEC 60204-1 9.2.5.3 (reset does not restart by itself: after clearing,
// motion needs a new wish), ISO 13850 (a stop overrides everything).

#include <cstdint>

#include "saferl/safety/mode.h"

namespace saferl::safety {

/// Everything that is wrong in one tick. Bit i = static_cast<Reason>(i).
class ReasonSet {
 public:
  void Add(Reason reason) {
    if (reason != Reason::kNone) bits_ |= Bit(reason);
  }
  void Add(const ReasonSet& other) { bits_ |= other.bits_; }
  bool Has(Reason reason) const { return (bits_ & Bit(reason)) != 0; }
  bool empty() const { return bits_ == 0; }
  uint32_t bits() const { return bits_; }
  /// The most severe reason; among equals the first in the enum. kNone when empty.
  Reason Worst() const;

 private:
  static constexpr uint32_t Bit(Reason reason) { return 1U << static_cast<uint32_t>(reason); }
  uint32_t bits_ = 0;
};
static_assert(static_cast<uint32_t>(Reason::kCount) <= 32);

struct LatchModel {
  int64_t dwell_ns = 500'000'000;  ///< healthy time at rest before a ControlledStop clears
};

struct LatchInput {
  int64_t now_ns = 0;
  ReasonSet reasons;
  bool at_rest = false;      ///< measured at rest and last command was standstill
  bool acknowledge = false;  ///< the person's acknowledgement button, level
};

/// Zero-initialised = nominal.
struct LatchData {
  Mode mode = Mode::kNominal;
  Reason reason = Reason::kNone;  ///< why `mode`; keeps the latched cause until it clears
  bool healthy = false;           ///< at rest and no stop demanded since healthy_since_ns
  int64_t healthy_since_ns = 0;
  bool acknowledge_before = false;  ///< level in the last tick: only a fresh press counts
};

/// One pass; returns data->mode.
Mode UpdateLatch(const LatchModel& model, const LatchInput& input, LatchData* data);

}  // namespace saferl::safety
