#include "saferl/services/rollouts/controller.h"

#include "saferl/base/clock.h"
#include "saferl/base/text.h"

namespace saferl::services {

using registry::Phase;
using registry::Rollout;
using registry::RolloutEvent;

namespace {
constexpr int kMostRollouts = 1000;
constexpr uint64_t kTidyEvery = 600;  ///< steps, for what a controller that died left
}  // namespace

Controller::Controller(registry::Store* store, Evidence* evidence, const ControllerOptions& options)
    : store_(store), rollouts_(store), evidence_(evidence), options_(options) {}

StatusOr<StepReport> Controller::Step(int64_t now_ns) {
  StepReport report;
  SAFERL_ASSIGN_OR_RETURN(report.in_control,
                          rollouts_.TakeControl(options_.holder, options_.control_s));
  if (!report.in_control) return report;
  SAFERL_ASSIGN_OR_RETURN(const std::vector<Rollout> active,
                          rollouts_.List("", true, kMostRollouts));
  report.active = static_cast<int>(active.size());
  Status first;
  for (const Rollout& rollout : active) {
    const StatusOr<bool> changed = Steer(rollout, now_ns);
    if (changed.ok()) {
      report.changed += *changed ? 1 : 0;
    } else if (first.ok()) {
      first = Status(changed.status().code(),
                     Cat("rollout ", rollout.id, ": ", changed.status().message()));
    }
  }
  if (report.changed > 0 || steps_++ % kTidyEvery == 0) {
    if (const Status tidied = evidence_->Tidy(); first.ok()) first = tidied;
  }
  if (!first.ok()) return first;
  return report;
}

StatusOr<bool> Controller::Steer(const Rollout& rollout, int64_t now_ns) {
  SAFERL_ASSIGN_OR_RETURN(const std::optional<RolloutVerdict> verdict, Decide(rollout, now_ns));
  if (!verdict) return false;
  const StatusOr<Rollout> after =
      rollouts_.ApplyTo(rollout, verdict->event, options_.holder, verdict->reason);
  if (absl::IsAborted(after.status())) return false;  // somebody else was first: judge anew
  if (!after.ok()) return after.status();
  if (!after->active) rolling_back_since_.erase(rollout.id);
  return !(after->state == rollout.state);
}

StatusOr<std::optional<RolloutVerdict>> Controller::Decide(const Rollout& rollout, int64_t now_ns) {
  const Phase phase = rollout.state.phase;
  if (phase == Phase::kRegistered || phase == Phase::kAwaitApproval) return std::nullopt;
  if (phase == Phase::kRollingBack) {
    SAFERL_ASSIGN_OR_RETURN(const bool stable, SurelyStable(rollout, now_ns));
    if (stable) return RolloutVerdict{RolloutEvent::kAllStable, "every lease has ended"};
  } else {
    SAFERL_ASSIGN_OR_RETURN(const registry::Version version,
                            store_->Find(rollout.model, Cat(rollout.to)));
    if (version.quarantined)
      return RolloutVerdict{RolloutEvent::kReject, version.quarantine_reason};
  }
  SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::JournalEntry> journal,
                          rollouts_.Journal(rollout.id));
  const StageTimes times = TimesOf(journal);
  const StatusOr<ArmEvidence> all = evidence_->Read(rollout, times.judged_ns);
  const StatusOr<ArmEvidence> step = evidence_->Read(rollout, times.entered_ns);
  // What cannot be read is no data at all.
  const bool read = all.ok() && step.ok();
  return JudgeRollout(rollout, times, read ? *all : ArmEvidence{}, read ? *step : ArmEvidence{},
                      store_->now(), options_.judge);
}

StatusOr<bool> Controller::SurelyStable(const Rollout& rollout, int64_t now_ns) {
  const int64_t since = rolling_back_since_.try_emplace(rollout.id, now_ns).first->second;
  const double slow_s = options_.clock_drift * rollout.plan.lease_s + options_.tick_s;
  SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::Lease> leases, rollouts_.Leases(rollout.id));
  bool ever = false;
  for (const registry::Lease& lease : leases) {
    if (lease.number != rollout.to) continue;
    ever = true;
    if (lease.until_ns + FromSeconds(slow_s) > store_->now()) return false;
  }
  return !ever || now_ns - since >= FromSeconds(rollout.plan.lease_s + slow_s);
}

}  // namespace saferl::services
