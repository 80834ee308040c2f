#include "saferl/services/rollouts/seat.h"

#include "saferl/base/clock.h"
#include "saferl/control/tick_data.h"

namespace saferl::services {
namespace {

using safety::Reason;

/// Robots are asked at least as often; after a longer gap nobody knows what happened.
constexpr int64_t kLongestTick_ns = kNanosPerSecond;

size_t At(BadKind kind) { return static_cast<size_t>(kind); }

}  // namespace

void ArmCounts::Add(const ArmCounts& other) {
  seconds += other.seconds;
  for (size_t k = 0; k < kBadKinds; ++k) bad[k] += other.bad[k];
}

std::array<bool, kBadKinds> BadOf(const control::Decision& decision, const PolicyDoing& doing) {
  std::array<bool, kBadKinds> bad{};
  bad[At(BadKind::kHard)] = !decision.gate_passed;
  bad[At(BadKind::kIntervention)] = doing.changed;
  bad[At(BadKind::kRefusal)] = doing.refused;
  for (const Reason reason : {decision.command.reason, decision.filter.reason}) {
    switch (reason) {
      case Reason::kConstraintViolated:
      case Reason::kGateRejected:
        bad[At(BadKind::kHard)] = true;
        break;
      case Reason::kFilterInfeasible:
      case Reason::kFilterRepeated:
        bad[At(BadKind::kViolation)] |= doing.shared;
        break;
      case Reason::kTrackingError:
      case Reason::kBrakeFade:
        bad[At(BadKind::kViolation)] = true;
        break;
      case Reason::kPolicyLate:
      case Reason::kPolicyInvalid:
      case Reason::kTickLate:
      case Reason::kTickSlips:
        bad[At(BadKind::kDeadline)] = true;
        break;
      default:  // sensors, people, the operator's device: no policy's doing
        break;
    }
  }
  return bad;
}

void ArmCounter::Count(const std::array<bool, kBadKinds>& bad, int64_t now_ns, double seconds) {
  constexpr double kRounding_s = 1e-9;
  counts_.seconds += seconds;
  for (size_t k = 0; k < kBadKinds; ++k) {
    if (!bad[k]) continue;
    Run& run = runs_[k];
    const int64_t quiet = Elapsed(run.last_ns, now_ns);
    const bool goes_on =
        run.any && quiet >= 0 && quiet < kQuiet_ns && Elapsed(run.begin_ns, now_ns) < kLongest_ns;
    if (!goes_on) run = {.begin_ns = now_ns, .any = true};
    run.last_ns = now_ns;
    run.bad_s += seconds;
    if (run.counted || run.bad_s + kRounding_s < kLeast_s[k]) continue;
    run.counted = true;
    ++counts_.bad[k];
  }
}

ArmCounts ArmCounter::Take() {
  ArmCounts counts;
  std::swap(counts, counts_);
  return counts;
}

/// A tick that can be run again, by itself.
struct RolloutSeat::Shadow {
  control::TickModel model;
  control::TickData data;
  control::TickInput input;
  control::Decision decision;
};

RolloutSeat::RolloutSeat(std::string robot, std::string model, std::string episode,
                         const SeatRollout& rollout)
    : robot_(std::move(robot)), model_(std::move(model)), episode_(std::move(episode)) {
  Set(rollout);
}
RolloutSeat::~RolloutSeat() = default;

RolloutSeat::Choice RolloutSeat::Choose(int64_t now_ns, bool at_rest) {
  const std::lock_guard lock(mutex_);
  if (rollout_.id.empty()) return {};
  if (at_rest) {
    lease_.Rest();
  } else {
    lease_.StartMoving();
  }
  return {true, lease_.Version(now_ns), lease_.stable()};
}

bool RolloutSeat::Offer(const control::TickModel& model, const control::TickData& data,
                        const control::TickInput& input) {
  if (!shadows_.load(std::memory_order_acquire) || waits_.load(std::memory_order_acquire))
    return false;
  shadow_->model = model;
  shadow_->data = data;
  shadow_->input = input;
  waits_.store(true, std::memory_order_release);
  return true;
}

/// Robot time since the last tick.
double RolloutSeat::Passed(int64_t now_ns) {
  const int64_t passed = last_ns_ == 0 ? 0 : Elapsed(last_ns_, now_ns);
  last_ns_ = now_ns;
  return passed > 0 && passed <= kLongestTick_ns ? Seconds(passed) : 0;
}

telemetry::Arm RolloutSeat::Count(int64_t version, const control::TickModel& model,
                                  const control::Decision& decision) {
  const bool active = !rollout().id.empty();  // else nobody asks, and the filter is not run again
  const std::array<bool, kBadKinds> bad =
      BadOf(decision, doing_.Look(active ? &model : nullptr, decision));
  const int64_t now_ns = decision.input.now_ns;
  const std::lock_guard lock(mutex_);
  const double seconds = Passed(now_ns);
  if (rollout_.id.empty()) return telemetry::Arm::kStable;
  if (version == rollout_.to) canary_.Count(bad, now_ns, seconds);
  if (version == rollout_.from) stable_.Count(bad, now_ns, seconds);
  return version == rollout_.to ? telemetry::Arm::kCanary : telemetry::Arm::kStable;
}

LeaseQuestion RolloutSeat::Ask(int64_t now_ns) {
  const std::lock_guard lock(mutex_);
  return lease_.Ask(now_ns);
}

void RolloutSeat::Hear(const LeaseQuestion& question, const LeaseAnswer& answer) {
  const std::lock_guard lock(mutex_);
  if (answer.rollout != rollout_.id) return;  // it ended meanwhile, or another began
  lease_.Hear(question, answer);
  if (answer.shadow != 0 && shadow_ == nullptr) shadow_ = std::make_unique<Shadow>();
  shadows_.store(answer.shadow != 0, std::memory_order_release);
}

SeatRollout RolloutSeat::rollout() const {
  const std::lock_guard lock(mutex_);
  return rollout_;
}

void RolloutSeat::Set(const SeatRollout& rollout) {
  const std::lock_guard lock(mutex_);
  if (rollout == rollout_) return;
  rollout_ = rollout;
  lease_ = RolloutLease(rollout.from);
  lease_.BeginEpisode(episode_);
  canary_ = stable_ = {};
  shadows_.store(false, std::memory_order_relaxed);
}

void RolloutSeat::RunShadow(const std::shared_ptr<const policy::Policy>& policy,
                            const std::function<void(const control::Decision&)>& look) {
  if (!waits_.load(std::memory_order_acquire)) return;
  Shadow& s = *shadow_;
  s.model.policy = policy;
  s.model.time_stages = false;
  if (policy != nullptr && control::Validate(s.model).ok()) {
    s.data.policy_id = control::PolicyId(policy.get());
    const int64_t now_ns = s.input.now_ns;
    shadow_doing_.StartFrom(s.data, now_ns);
    control::Tick(s.model, s.input, &s.data, &s.decision);
    if (look) look(s.decision);
    const auto bad = BadOf(s.decision, shadow_doing_.Look(&s.model, s.decision));
    const std::lock_guard lock(mutex_);
    // It stands for the tick that it was copied from, and for none that was not looked at.
    const double period = s.model.safety->robot->period_s();
    canary_.Count(bad, now_ns, now_ns > shadow_last_ns_ ? period : 0);
    shadow_last_ns_ = now_ns;
  }
  waits_.store(false, std::memory_order_release);
}

RolloutSeat::Counts RolloutSeat::Take() {
  const std::lock_guard lock(mutex_);
  return {canary_.Take(), stable_.Take()};
}

}  // namespace saferl::services
