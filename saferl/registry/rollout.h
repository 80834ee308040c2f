#pragma once
// Rollout: the state machine by which a new policy version reaches robots, or is taken back.
//
//   Registered -> Shadow -> AwaitApproval -> Canary 1..K -> Bake -> Promoted
//   any of them -> Hold (no data, or an operator) -> back to where it was, or -> RollingBack
//   any of them -> RollingBack -> RolledBack
// One pure function, Next(), over a small table: the controller journals its result before it acts,
// a test walks every state and event. Rules that the test proves over all of them:
//   - the canary's share grows only when every gate accepts, or by approval at the start;
//   - without data nothing advances; a hold that lasts too long goes back;
//   - an abort or a rejecting gate leads to RollingBack from every phase in which robots may run
//   the
//     new version, and nothing leads from there to anything but RolledBack;
//   - a version that a gate rejected is quarantined.
// What robots do while the controller is away is not decided here: their lease ends and they are on
// the stable version by themselves.
// Units: shares of robots in [0, 1]; seconds. Errors: Validate() names the field. RT: no.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::registry {

enum class Phase : uint8_t {
  kRegistered,
  kShadow,         ///< sees what robots see, moves nothing
  kAwaitApproval,  ///< people decide whether robots may run it
  kCanary,         ///< a cohort of robots runs it
  kBake,           ///< all run it, the old version stays hot
  kHold,           ///< frozen
  kRollingBack,    ///< robots return to the stable version
  kPromoted,       ///< from here on terminal
  kShadowPassed,
  kRolledBack,
  kAborted,  ///< ended before any robot ran it
  kCount,
};
std::string_view Name(Phase phase);
StatusOr<Phase> ParsePhase(std::string_view name);
bool IsTerminal(Phase phase);

enum class RolloutEvent : uint8_t {
  kStart,
  kAccept,    ///< every gate accepts, dwell and exposure are long enough
  kReject,    ///< a gate rejects, a hard violation, the canary's telemetry is lost for good
  kDataLost,  ///< too little or too old to judge
  kDataBack,
  kHoldExpired,  ///< held longer than max_hold_s
  kApprove,
  kDeny,
  kPause,  ///< an operator holds
  kResume,
  kAbort,      ///< an operator, an e-stop, or a newer rollout of the same model
  kAllStable,  ///< every robot confirmed the stable version or its lease ended
  kCount,
};
std::string_view Name(RolloutEvent event);

enum class Strategy : uint8_t { kCanary, kShadow, kBlueGreen, kRolling, kCount };
std::string_view Name(Strategy strategy);
StatusOr<Strategy> ParseStrategy(std::string_view name);  ///< "canary", "blue-green", ...

struct RolloutPlan {
  Strategy strategy = Strategy::kCanary;
  std::vector<double> steps = {0.10, 0.25, 0.50, 1.0};  ///< canary's share, growing; last is 1
  bool shadow_first = true;
  int approvals = 1;          ///< different people; safety-class models need 2
  double min_dwell_s = 600;   ///< in each step
  double min_exposure_h = 1;  ///< robot-hours of the new version in each step
  double bake_s = 3600;
  double max_hold_s = 1800;
  double lease_s = 5;  ///< how long a robot runs the new version without hearing from us

  Status Validate() const;
};
/// The usual plan of a strategy; `first_share` is the first cohort of a canary.
RolloutPlan PlanFor(Strategy strategy, double first_share = 0.10);

struct RolloutState {
  Phase phase = Phase::kRegistered;
  Phase held = Phase::kRegistered;  ///< phase that a hold froze
  bool held_by_operator = false;    ///< only an operator ends such a hold
  int step = 0;                     ///< index into plan.steps while in canary (or held there)
  int approved = 0;                 ///< approvals so far
  bool quarantined = false;         ///< the version may not be rolled out again
  bool operator==(const RolloutState&) const = default;
};

/// What follows. An event that means nothing in a phase changes nothing.
RolloutState Next(const RolloutPlan& plan, const RolloutState& state, RolloutEvent event);

/// Share of robots that may run the new version.
double CanaryShare(const RolloutPlan& plan, const RolloutState& state);

/// Which version a robot runs in an episode: sticky, so that a control loop never mixes two.
/// The same robot and episode always give the same answer; a larger share keeps every robot that
/// a smaller one had.
bool OnCanary(std::string_view rollout_id, std::string_view robot_id, std::string_view episode_id,
              double share);

}  // namespace saferl::registry
