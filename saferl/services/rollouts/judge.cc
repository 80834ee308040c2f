#include "saferl/services/rollouts/judge.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

using registry::Phase;
using registry::RateGate;
using registry::RolloutEvent;

constexpr size_t kKinds = kBadKinds;
constexpr std::array<const char*, kKinds> kNames = {
    "hard violations", "violations", "interventions", "missed deadlines", "refusals"};
constexpr size_t kFirstSoft = 1;

bool RunsOnRobots(Phase phase) { return phase == Phase::kCanary || phase == Phase::kBake; }

/// What the rollout does, frozen or not.
Phase Working(const registry::RolloutState& state) {
  return state.phase == Phase::kHold ? state.held : state.phase;
}

struct Gates {
  std::array<RateGate, kKinds> gates;
  BadCounts seen{};  ///< on the canary
  bool hard = false;
};

Gates Feed(const ArmEvidence& evidence, const RolloutRules& options) {
  registry::RateGateOptions each = options.gate;
  each.alpha /= static_cast<double>(kKinds - kFirstSoft);
  Gates fed;
  fed.gates.fill(RateGate(each));
  for (const EvidenceSlice& slice : evidence.slices) {
    fed.hard = fed.hard || slice.canary[static_cast<size_t>(BadKind::kHard)] > 0;
    for (size_t k = 0; k < kKinds; ++k) {
      fed.seen[k] += slice.canary[k];
      if (k >= kFirstSoft)
        fed.gates[k].Events(slice.canary[k], slice.stable[k], slice.canary_share);
    }
  }
  return fed;
}

std::optional<std::string> Rejects(const Gates& fed) {
  if (fed.hard) return "a hard violation on the canary";
  for (size_t k = kFirstSoft; k < kKinds; ++k) {
    const RateGate& gate = fed.gates[k];
    if (gate.rejects())
      return Cat("the gate rejects: ", gate.canary_events(), " of ", gate.events(), " ", kNames[k],
                 " on the canary");
  }
  return std::nullopt;
}

constexpr double kShown = 0.95;  ///< confidence of what a judgement says of a rate

bool Accepts(const Gates& fed, size_t k, const ArmEvidence& all, const RolloutRules& options) {
  return fed.gates[k].accepts() || RateBelow(options.acceptable_rate_per_h, fed.seen[k],
                                             all.canary_h, options.gate.accept_alpha);
}

bool Accepts(const Gates& fed, const ArmEvidence& all, const RolloutRules& options) {
  for (size_t k = kFirstSoft; k < kKinds; ++k) {
    if (!Accepts(fed, k, all, options)) return false;
  }
  return true;
}

/// What is wrong with the data, or nothing.
std::optional<std::string> Silent(const registry::RolloutState& state, const StageTimes& times,
                                  const ArmEvidence& step, int64_t now,
                                  const RolloutRules& options) {
  const int64_t age = FromSeconds(options.max_data_age_s);
  const auto judge = [&](const char* arm, int64_t newest) -> std::optional<std::string> {
    if (newest > now + age) return Cat("the clock of the ", arm, " arm is ahead");
    // A step that began just now may not have been heard of yet; a hold waits for real data.
    const int64_t known = state.phase == Phase::kHold ? newest : std::max(newest, times.entered_ns);
    if (now - known > age)
      return Cat("no data of the ", arm, " arm for ", options.max_data_age_s, " s");
    return std::nullopt;
  };
  if (auto wrong = judge("canary", step.canary_ns)) return wrong;
  if (Working(state) == Phase::kBake) return std::nullopt;
  return judge("stable", step.stable_ns);
}

}  // namespace

bool RateBelow(double limit, int64_t events, double exposure, double alpha) {
  if (!(limit > 0 && exposure > 0 && alpha > 0) || events < 0) return false;
  constexpr std::array kParts = {0.02, 0.1, 0.3, 0.6};
  double mean = 0;
  for (const double part : kParts)
    mean += std::exp((1 - part) * limit * exposure + static_cast<double>(events) * std::log(part)) /
            static_cast<double>(kParts.size());
  return mean >= 1 / alpha;
}

std::vector<GateReading> ReadGates(const ArmEvidence& all, const RolloutRules& options) {
  const Gates fed = Feed(all, options);
  const double alpha = options.gate.alpha / static_cast<double>(kKinds - kFirstSoft);
  std::vector<GateReading> readings(kKinds);
  for (size_t k = 0; k < kKinds; ++k) {
    GateReading& reading = readings[k];
    reading.kind = kBadNames[k];
    reading.canary = fed.seen[k];
    reading.at_most_per_h = registry::RateUpperBound(reading.canary, all.canary_h, kShown);
    for (const EvidenceSlice& slice : all.slices) reading.stable += slice.stable[k];
    if (k < kFirstSoft) {
      reading.rejects = fed.hard;
      reading.accepts = !fed.hard;
      continue;
    }
    reading.log_e = fed.gates[k].log_e();
    reading.reject_at = -std::log(alpha);
    reading.log_e_fine = fed.gates[k].log_e_fine();
    reading.accept_at = -std::log(options.gate.accept_alpha);
    reading.rejects = fed.gates[k].rejects();
    reading.accepts = Accepts(fed, k, all, options);
  }
  return readings;
}

StageTimes TimesOf(const std::vector<registry::JournalEntry>& journal) {
  StageTimes times;
  for (const registry::JournalEntry& e : journal) {
    if (e.before.phase != e.after.phase || e.before.step != e.after.step)
      times.entered_ns = e.at_ns;
    const Phase before = Working(e.before), after = Working(e.after);
    if (before != after &&
        (after == Phase::kShadow || (RunsOnRobots(after) && !RunsOnRobots(before))))
      times.judged_ns = e.at_ns;
  }
  return times;
}

std::optional<RolloutVerdict> JudgeRollout(const registry::Rollout& rollout,
                                           const StageTimes& times, const ArmEvidence& all,
                                           const ArmEvidence& step, int64_t now_ns,
                                           const RolloutRules& options) {
  const registry::RolloutState& state = rollout.state;
  const registry::RolloutPlan& plan = rollout.plan;
  const Gates fed = Feed(all, options);
  if (const auto why = Rejects(fed); why && !state.quarantined)
    return RolloutVerdict{RolloutEvent::kReject, *why};
  if (state.phase == Phase::kRollingBack) return std::nullopt;
  const int64_t since = now_ns - times.entered_ns;
  const bool held = state.phase == Phase::kHold;
  if (held && since > FromSeconds(plan.max_hold_s))
    return RolloutVerdict{RolloutEvent::kHoldExpired, Cat("held for ", plan.max_hold_s, " s")};
  const auto silent = Silent(state, times, step, now_ns, options);
  if (held) {
    if (silent || state.held_by_operator) return std::nullopt;
    return RolloutVerdict{RolloutEvent::kDataBack, "data is back"};
  }
  if (silent) return RolloutVerdict{RolloutEvent::kDataLost, *silent};
  const bool bake = state.phase == Phase::kBake;
  if (since < FromSeconds(bake ? plan.bake_s : plan.min_dwell_s)) return std::nullopt;
  if (step.canary_h < plan.min_exposure_h || step.canary_ns == 0) return std::nullopt;
  if (!bake && !Accepts(fed, all, options)) return std::nullopt;
  int64_t bad = 0;
  for (size_t k = kFirstSoft; k < kKinds; ++k) bad += fed.seen[k];
  return RolloutVerdict{
      RolloutEvent::kAccept,
      Cat(step.canary_h, " robot hours, ", bad, " bad events on the canary; hard ones at most ",
          registry::RateUpperBound(0, all.canary_h, kShown), " per robot hour at ", 100 * kShown,
          " %")};
}

}  // namespace saferl::services
