#pragma once
// JudgeRollout: the event, if any, that a rollout's evidence calls for. A pure function: no clock,
// no I/O.
//
// Order: what takes robots back comes before what freezes, and that before what goes on.
//   reject        a hard violation on the canary, or a gate against "as good as stable"
//   hold_expired  held for max_hold_s
//   data_lost     an arm that is needed was silent for max_data_age_s, or its clock is ahead
//   data_back     fresh again, in a hold that no operator ordered
//   accept        dwell and exposure of this step are reached and every kind of event accepts
// Gates are anytime-valid (registry/gates.h), one per kind, alpha shared among them by Bonferroni.
// A kind accepts when it is shown to be at most accept_ratio times stable's, or its rate on the
// canary to be below acceptable_rate_per_h; the second is how a fleet without bad events goes on.
// In the bake no robot is left to compare with: hard violations, silence and time decide there.
// Units: seconds, robot hours, ns of the registry's clock. RT: no. Cost: linear in the slices of
// evidence that hold bad events, whatever the number of robots and events.

#include <optional>
#include <string>
#include <vector>

#include "saferl/registry/gates.h"
#include "saferl/services/rollouts/evidence.h"

namespace saferl::services {

struct RolloutRules {
  registry::RateGateOptions gate;  ///< alpha of all kinds together; accept_alpha of each
  /// Of each kind, on the canary. An hour without an event (the usual plan's min_exposure_h) shows
  /// with accept_alpha that a rate is below 3.7 per hour and no less: a limit under that would keep
  /// a faultless version waiting, one far above it would pass what nobody compared.
  double acceptable_rate_per_h = 5;
  double max_data_age_s = 5;
};

/// Times of a rollout, by its journal.
struct StageTimes {
  int64_t entered_ns = 0;  ///< this phase and step; a hold that ended counts as entering again
  int64_t judged_ns = 0;   ///< since when evidence counts: in the shadow its start, then exposure's
};
StageTimes TimesOf(const std::vector<registry::JournalEntry>& journal);

struct RolloutVerdict {
  registry::RolloutEvent event;
  std::string reason;
};

/// `all` since judged_ns, `step` since entered_ns.
std::optional<RolloutVerdict> JudgeRollout(const registry::Rollout& rollout,
                                           const StageTimes& times, const ArmEvidence& all,
                                           const ArmEvidence& step, int64_t now_ns,
                                           const RolloutRules& options);

/// Where one kind of bad event stands.
struct GateReading {
  const char* kind = "";
  int64_t canary = 0, stable = 0;   ///< events
  double at_most_per_h = 0;         ///< bound of the canary's rate at 95 %; without data infinite
  double log_e = 0, reject_at = 0;  ///< of "worse than stable"
  double log_e_fine = 0, accept_at = 0;  ///< of "not worse by accept_ratio"
  bool rejects = false, accepts = false;
};
/// Of hard violations too: one on the canary rejects, none accepts.
std::vector<GateReading> ReadGates(const ArmEvidence& all, const RolloutRules& options);

/// Shown, at level `alpha` and however often looked at, that a Poisson rate is below `limit`: an
/// e-process, the mean of likelihood ratios exp((limit - r) exposure) (r / limit)^events over
/// rates r below the limit.
bool RateBelow(double limit, int64_t events, double exposure, double alpha);

}  // namespace saferl::services
