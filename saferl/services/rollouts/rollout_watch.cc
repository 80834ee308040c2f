#include "saferl/services/rollouts/rollout_watch.h"

#include <cmath>
#include <utility>
#include <vector>

#include "saferl/base/clock.h"

namespace saferl::services {

using registry::Phase;
using registry::Rollout;
using registry::RolloutEvent;

namespace {

constexpr int kMostRollouts = 1000;

/// What can begin a rollback.
constexpr RolloutEvent kCauses[] = {RolloutEvent::kReject, RolloutEvent::kHoldExpired,
                                    RolloutEvent::kAbort, RolloutEvent::kDeny};

}  // namespace

RolloutWatch::RolloutWatch(registry::Store* store, Evidence* evidence, const RolloutRules& rules,
                           telemetry::Metrics* metrics)
    : rollouts_(store), evidence_(evidence), rules_(rules), metrics_(metrics) {}
RolloutWatch::~RolloutWatch() = default;

telemetry::RolloutMetrics* RolloutWatch::Of(const std::string& model) {
  std::unique_ptr<telemetry::RolloutMetrics>& known = known_[model];
  if (known == nullptr) {
    std::vector<std::string> states, gates, causes;
    for (int p = 0; p < static_cast<int>(Phase::kCount); ++p)
      states.emplace_back(Name(static_cast<Phase>(p)));
    for (const GateReading& gate : ReadGates(ArmEvidence{}, rules_)) gates.emplace_back(gate.kind);
    for (const RolloutEvent cause : kCauses) causes.emplace_back(Name(cause));
    known = std::make_unique<telemetry::RolloutMetrics>(*metrics_, model, states, gates, causes);
  }
  return known.get();
}

Status RolloutWatch::Show(const Rollout& rollout) {
  telemetry::RolloutMetrics* metrics = Of(rollout.model);
  metrics->SetState(static_cast<size_t>(rollout.state.phase));
  metrics->weight_ratio.Set(CanaryShare(rollout.plan, rollout.state));
  if (!rollout.active) return absl::OkStatus();
  SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::JournalEntry> journal,
                          rollouts_.Journal(rollout.id));
  SAFERL_ASSIGN_OR_RETURN(const ArmEvidence all,
                          evidence_->Read(rollout, TimesOf(journal).judged_ns));
  const std::vector<GateReading> gates = ReadGates(all, rules_);
  for (size_t g = 0; g < gates.size(); ++g) metrics->LogEvalue(g).Set(gates[g].log_e);
  return absl::OkStatus();
}

Status RolloutWatch::CountRollback(const Rollout& rollout) {
  SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::JournalEntry> journal,
                          rollouts_.Journal(rollout.id));
  int64_t ordered_ns = 0, done_ns = 0;
  std::string cause;
  for (const registry::JournalEntry& entry : journal) {
    if (entry.before.phase == entry.after.phase) continue;
    if (entry.after.phase == Phase::kRollingBack) {
      ordered_ns = entry.at_ns;
      cause = entry.event;
    }
    if (entry.after.phase == Phase::kRolledBack) done_ns = entry.at_ns;
  }
  if (ordered_ns == 0 || done_ns < ordered_ns) return absl::OkStatus();
  telemetry::RolloutMetrics* metrics = Of(rollout.model);
  for (size_t c = 0; c < std::size(kCauses); ++c) {
    if (Name(kCauses[c]) == cause) metrics->Rollbacks(c).Add();
  }
  metrics->rollback_duration.Observe(Seconds(done_ns - ordered_ns));
  return absl::OkStatus();
}

Status RolloutWatch::Turn() {
  SAFERL_ASSIGN_OR_RETURN(const std::vector<Rollout> active,
                          rollouts_.List("", true, kMostRollouts));
  std::map<std::string, Phase> before = std::exchange(active_, {});
  Status first;
  const auto keep = [&first](const Status& status) {
    if (first.ok()) first = status;
  };
  for (const Rollout& rollout : active) {
    active_.emplace(rollout.id, rollout.state.phase);
    before.erase(rollout.id);
  }
  for (const auto& [id, phase] : before) {  // ended since the last turn
    const StatusOr<Rollout> ended = rollouts_.Find(id);
    keep(ended.status());
    if (!ended.ok()) continue;
    keep(Show(*ended));
    if (ended->state.phase == Phase::kRolledBack) keep(CountRollback(*ended));
  }
  for (const Rollout& rollout : active) keep(Show(rollout));  // of a model the active one counts
  return first;
}

}  // namespace saferl::services
