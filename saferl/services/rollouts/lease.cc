#include "saferl/services/rollouts/lease.h"

#include <algorithm>

#include "saferl/base/clock.h"

namespace saferl::services {

void RolloutLease::BeginEpisode(const std::string& episode) {
  episode_ = episode;
  trial_ = 0;
  moving_ = false;
}

LeaseQuestion RolloutLease::Ask(int64_t now_ns) {
  (void)Version(now_ns);
  return {.number = ++asked_, .at_ns = now_ns, .episode = episode_};
}

void RolloutLease::Hear(const LeaseQuestion& question, const LeaseAnswer& answer) {
  if (question.number <= heard_ || question.episode != episode_) return;
  heard_ = question.number;
  if (!moving_) stable_ = answer.stable;
  const bool trial = answer.version != answer.stable && answer.lease_s > 0;
  if (!trial || (moving_ && trial_ != answer.version)) {
    trial_ = 0;
    return;
  }
  trial_ = answer.version;
  until_ns_ = question.at_ns + FromSeconds(answer.lease_s);
}

int64_t RolloutLease::Version(int64_t now_ns) {
  if (trial_ != 0 && now_ns >= until_ns_) trial_ = 0;
  return trial_ != 0 ? trial_ : stable_;
}

StatusOr<LeaseAnswer> GrantLease(registry::Store* store, const std::string& model,
                                 const std::string& robot, const std::string& episode) {
  registry::RolloutStore rollouts(store);
  SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::Rollout> active,
                          rollouts.List(model, true, 1));
  if (active.empty()) {
    SAFERL_ASSIGN_OR_RETURN(const registry::Version champion, store->Find(model, "champion"));
    return LeaseAnswer{.version = champion.number, .stable = champion.number};
  }
  const registry::Rollout& r = active[0];
  LeaseAnswer answer{.version = r.from, .stable = r.from, .rollout = r.id};
  answer.renew_s = std::min(kRenew_s, r.plan.lease_s / kRenewsInALease);
  const registry::Phase held = r.state.held, phase = r.state.phase;
  // Held in its shadow it goes on looking: fresh data is what ends such a hold.
  if ((phase == registry::Phase::kHold ? held : phase) == registry::Phase::kShadow)
    answer.shadow = r.to;
  if (registry::OnCanary(r.id, robot, episode, registry::CanaryShare(r.plan, r.state))) {
    const Status renewed = rollouts.Renew(r.id, robot, r.to);
    if (!renewed.ok() && !absl::IsFailedPrecondition(renewed)) return renewed;
    if (!renewed.ok()) return answer;  // taken back a moment ago
    answer.version = r.to;
    answer.lease_s = r.plan.lease_s;
    return answer;
  }
  SAFERL_ASSIGN_OR_RETURN(const std::vector<registry::Lease> leases, rollouts.Leases(r.id));
  const bool noted = std::any_of(leases.begin(), leases.end(), [&](const registry::Lease& lease) {
    return lease.node == robot && lease.number == r.to;
  });
  if (!noted && r.from != 0) SAFERL_RETURN_IF_ERROR(rollouts.Renew(r.id, robot, r.from));
  return answer;
}

}  // namespace saferl::services
