#include "saferl/registry/rollout.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "saferl/base/hash.h"
#include "saferl/base/text.h"

namespace saferl::registry {
namespace {

constexpr std::array<std::string_view, static_cast<size_t>(Phase::kCount)> kPhases = {
    "registered",   "shadow",   "await_approval", "canary",      "bake",   "hold",
    "rolling_back", "promoted", "shadow_passed",  "rolled_back", "aborted"};
constexpr std::array<std::string_view, static_cast<size_t>(RolloutEvent::kCount)> kEvents = {
    "start",   "accept", "reject", "data_lost", "data_back", "hold_expired",
    "approve", "deny",   "pause",  "resume",    "abort",     "all_stable"};
constexpr std::array<std::string_view, static_cast<size_t>(Strategy::kCount)> kStrategies = {
    "canary", "shadow", "blue-green", "rolling"};

/// May robots run the new version in this phase (frozen phases included)?
bool Exposed(const RolloutState& state) {
  const Phase phase = state.phase == Phase::kHold ? state.held : state.phase;
  return phase == Phase::kCanary || phase == Phase::kBake;
}

RolloutState GoBack(RolloutState state, bool quarantine) {
  state.phase = Exposed(state) ? Phase::kRollingBack : Phase::kAborted;
  state.quarantined = state.quarantined || quarantine;
  return state;
}

RolloutState EnterCanary(const RolloutPlan& plan, RolloutState state) {
  state.step = 0;
  state.phase = plan.steps.size() == 1 ? Phase::kBake : Phase::kCanary;
  return state;
}

RolloutState AfterShadow(const RolloutPlan& plan, RolloutState state) {
  if (plan.strategy == Strategy::kShadow) {
    state.phase = Phase::kShadowPassed;
    return state;
  }
  if (plan.approvals > state.approved) {
    state.phase = Phase::kAwaitApproval;
    return state;
  }
  return EnterCanary(plan, state);
}

RolloutState OnAccept(const RolloutPlan& plan, RolloutState state) {
  if (state.phase == Phase::kShadow) return AfterShadow(plan, state);
  if (state.phase == Phase::kBake) state.phase = Phase::kPromoted;
  if (state.phase == Phase::kCanary) {
    ++state.step;
    if (state.step + 1 >= static_cast<int>(plan.steps.size())) state.phase = Phase::kBake;
  }
  return state;
}

RolloutState Freeze(RolloutState state, bool by_operator) {
  if (state.phase == Phase::kHold) {
    state.held_by_operator = state.held_by_operator || by_operator;
    return state;
  }
  state.held = state.phase;
  state.held_by_operator = by_operator;
  state.phase = Phase::kHold;
  return state;
}

RolloutState Thaw(RolloutState state) {
  state.phase = state.held;
  state.held = Phase::kRegistered;
  state.held_by_operator = false;
  return state;
}

template <size_t N, class E>
StatusOr<E> Parse(const std::array<std::string_view, N>& names, std::string_view name,
                  const char* what) {
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<E>(i);
  }
  std::string all;
  for (const std::string_view one : names) all += Cat(all.empty() ? "" : ", ", one);
  return absl::InvalidArgumentError(Cat(what, ": '", name, "' is not one of ", all));
}

}  // namespace

std::string_view Name(Phase phase) { return kPhases[static_cast<size_t>(phase)]; }
std::string_view Name(RolloutEvent event) { return kEvents[static_cast<size_t>(event)]; }
std::string_view Name(Strategy strategy) { return kStrategies[static_cast<size_t>(strategy)]; }
StatusOr<Phase> ParsePhase(std::string_view name) {
  return Parse<kPhases.size(), Phase>(kPhases, name, "phase");
}
StatusOr<Strategy> ParseStrategy(std::string_view name) {
  return Parse<kStrategies.size(), Strategy>(kStrategies, name, "deployment_strategy");
}
bool IsTerminal(Phase phase) { return phase >= Phase::kPromoted; }

RolloutState Next(const RolloutPlan& plan, const RolloutState& state, RolloutEvent event) {
  if (IsTerminal(state.phase)) return state;
  if (state.phase == Phase::kRollingBack) {
    RolloutState next = state;
    if (event == RolloutEvent::kAllStable) next.phase = Phase::kRolledBack;
    if (event == RolloutEvent::kReject) next.quarantined = true;
    return next;
  }
  switch (event) {
    case RolloutEvent::kAbort:
    case RolloutEvent::kDeny:
      if (event == RolloutEvent::kDeny && state.phase != Phase::kAwaitApproval) return state;
      return GoBack(state, false);
    case RolloutEvent::kReject:
      return GoBack(state, true);
    case RolloutEvent::kHoldExpired:
      return state.phase == Phase::kHold ? GoBack(state, false) : state;
    case RolloutEvent::kDataLost:
      if (state.phase == Phase::kRegistered || state.phase == Phase::kAwaitApproval) return state;
      return Freeze(state, false);
    case RolloutEvent::kPause:
      return state.phase == Phase::kRegistered ? state : Freeze(state, true);
    case RolloutEvent::kDataBack:
      return state.phase == Phase::kHold && !state.held_by_operator ? Thaw(state) : state;
    case RolloutEvent::kResume:
      return state.phase == Phase::kHold ? Thaw(state) : state;
    case RolloutEvent::kStart: {
      RolloutState next = state;
      if (state.phase != Phase::kRegistered) return state;
      if (!plan.shadow_first) return AfterShadow(plan, next);
      next.phase = Phase::kShadow;
      return next;
    }
    case RolloutEvent::kApprove: {
      RolloutState next = state;
      if (state.phase != Phase::kRegistered && state.phase != Phase::kShadow &&
          state.phase != Phase::kAwaitApproval)
        return state;
      ++next.approved;
      if (state.phase != Phase::kAwaitApproval || next.approved < plan.approvals) return next;
      return EnterCanary(plan, next);
    }
    case RolloutEvent::kAccept:
      return OnAccept(plan, state);
    case RolloutEvent::kAllStable:
    case RolloutEvent::kCount:
      break;
  }
  return state;
}

double CanaryShare(const RolloutPlan& plan, const RolloutState& state) {
  if (state.phase == Phase::kPromoted) return 1.0;
  const Phase phase = state.phase == Phase::kHold ? state.held : state.phase;
  if (phase == Phase::kBake) return 1.0;
  if (phase != Phase::kCanary) return 0.0;
  return plan.steps[static_cast<size_t>(state.step)];
}

Status RolloutPlan::Validate() const {
  const auto bad = [](std::string text) { return absl::InvalidArgumentError(text); };
  if (strategy != Strategy::kShadow) {
    if (steps.empty() || steps.size() > 20)
      return bad("steps: give 1 to 20 shares; try [0.1, 0.5, 1]");
    double before = 0;
    for (const double share : steps) {
      if (!(share > before && share <= 1))
        return bad(Cat("steps: ", share, " after ", before, "; shares grow and end at 1"));
      before = share;
    }
    if (before != 1.0) return bad("steps: the last share must be 1");
  }
  if (approvals < 0 || approvals > 5) return bad("approvals: give 0 to 5");
  const std::array<std::pair<const char*, double>, 5> times = {{{"min_dwell_s", min_dwell_s},
                                                                {"min_exposure_h", min_exposure_h},
                                                                {"bake_s", bake_s},
                                                                {"max_hold_s", max_hold_s},
                                                                {"lease_s", lease_s}}};
  for (const auto& [name, value] : times) {
    if (!(value >= 0 && value <= 1e7)) return bad(Cat(name, ": ", value, " is not in [0, 1e7]"));
  }
  if (!(lease_s > 0)) return bad("lease_s: must be above 0: a robot must return by itself");
  if (!(max_hold_s > 0)) return bad("max_hold_s: must be above 0: a hold must end");
  return absl::OkStatus();
}

RolloutPlan PlanFor(Strategy strategy, double first_share) {
  RolloutPlan plan;
  plan.strategy = strategy;
  switch (strategy) {
    case Strategy::kCanary:
      plan.steps = {first_share};
      for (const double share : {0.25, 0.50, 1.0}) {
        if (share > first_share) plan.steps.push_back(share);
      }
      break;
    case Strategy::kShadow:
      plan.steps.clear();
      plan.approvals = 0;
      break;
    case Strategy::kBlueGreen:
      plan.steps = {1.0};
      break;
    case Strategy::kRolling:
      plan.steps = {0.25, 0.50, 0.75, 1.0};
      plan.shadow_first = false;
      break;
    case Strategy::kCount:
      break;
  }
  return plan;
}

bool OnCanary(std::string_view rollout_id, std::string_view robot_id, std::string_view episode_id,
              double share) {
  // Lengths first: ("a", "bc") and ("ab", "c") are different assignments.
  const std::string key = Cat(rollout_id.size(), ":", rollout_id, robot_id.size(), ":", robot_id,
                              episode_id.size(), ":", episode_id);
  const std::string digest = Sha256Hex(key);
  const uint64_t word = std::stoull(digest.substr(0, 13), nullptr, 16);  // 52 bits
  return static_cast<double>(word) * 0x1.0p-52 < share;
}

}  // namespace saferl::registry
