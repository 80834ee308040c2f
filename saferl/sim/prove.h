#pragma once
// The safety prover: filter, gate and Commit in a closed loop with a closed-form plant that uses
// every freedom its model leaves, against people, drivers and worlds that look for trouble. Truth
// is checked densely between the ticks by code that the filter does not use.
//
// A run is made of short slots of kSlotTicks ticks; slot i draws everything from Random(seed, i),
// so the result is the same for every thread count. A violation ends the slot's world; the slot
// goes on in a new one.
//   violation    contact with a person while the robot moves, contact with anything fixed, or a
//   limit of the robot
//                (position, speed, torque, power, tip-over, interaction) broken in truth by more
//                than 1e-9
//   uncertified  a tick in motion without a proof (Proof::kNone), or whose certificate the
//   independent certifier
//                (safety/certifier) rejects; it looks at every certify_every-th slot's every tick
// 0 violations in N slots bounds the chance of one per slot by 3/N at 95 % confidence (rule of
// three).
//
// Units: SI. RT: no. Errors: a robot or mutant that does not exist, named with the nearest that
// does. Cost: about 10 us a tick for the wheelchair on one core. Source: DESIGN section 6 (Theorems
// 1 and 2), Hanley & Lippman-Hand 1983 (rule of three).

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "saferl/base/status.h"
#include "saferl/safety/constraint.h"

namespace saferl::sim {

inline constexpr int kSlotTicks = 250;  ///< of a slot; eight times as many for periods below 10 ms

struct ProveOptions {
  std::string robot = "wheelchair";  ///< name of a robot, or a path to its file
  int64_t ticks = 1'000'000;         ///< rounded up to whole slots
  uint64_t seed = 1;
  std::string mutant;  ///< a name from Mutants(), empty = the real system
  int threads = 1;
  int certify_every = 16;          ///< certify each tick of every k-th slot; 1 = all
  bool stop_at_violation = false;  ///< end with the first slot (lowest number) that has one
  /// Called now and then with ticks done; may be empty. From the calling thread only.
  std::function<void(int64_t done, int64_t total)> progress;
};

struct ProveReport {
  std::string robot, mutant;
  int64_t ticks = 0, slots = 0;
  int64_t violations = 0, uncertified = 0, certified = 0, interventions = 0;
  int64_t moving_ticks = 0, fresh_ticks = 0, plan_ticks = 0;
  double worst_margin = 0;  ///< least of true_margin: metres, or the unit of the tightest promise
  std::array<double, safety::kNumConstraints>
      true_margin{};  ///< least true margin; +inf = not looked at
  std::array<double, safety::kNumConstraints>
      certified_margin{};             ///< least margin of a fresh proof
  int64_t first_violation_tick = -1;  ///< within the run's order of slots; -1 = none
  std::string first_violation;        ///< what happened, in words
  std::string first_uncertified;      ///< what the certifier said
  double ticks_per_s = 0, seconds = 0;

  bool Passed() const { return violations == 0 && uncertified == 0; }
  /// 95 % upper bound of the chance of a violation per slot when none was seen.
  double UpperBoundPerSlot() const { return slots > 0 ? 3.0 / static_cast<double>(slots) : 1.0; }
};

StatusOr<ProveReport> Prove(const ProveOptions& options);

/// {"robot","mutant","ticks","slots","violations","uncertified","certified","worst_margin",
/// "interventions","first_violation_tick","first_violation" or "upper_bound_per_slot",
/// "ticks_per_s"}; what is not finite is null.
std::string ToJson(const ProveReport& report);
/// The same and more as a few lines for a person.
std::string ToText(const ProveReport& report);

}  // namespace saferl::sim
