#pragma once
// RolloutStore: rollouts as rows, steered by the state machine of rollout.h.
//
// Apply() is the only way a rollout changes: in one transaction it reads the state, computes
// Next(), appends the event with the state before and after to the journal and writes the new
// state, together with what follows in the registry: promotion moves the alias "champion", a
// rejection quarantines the bytes, an approval is a person's. So the journal is never behind an
// effect; whoever acts on robots reads a state that is already on disk. Events that change nothing
// are not written: sending one twice is harmless.
// At most one rollout of a model is active (a unique key). Nodes run the new version on leases:
// what a node was not told again in time is over, and the stable version runs.
// Errors: as Store's; kFailedPrecondition for what the rules refuse. Time: Store's clock. RT: no.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "saferl/registry/rollout.h"
#include "saferl/registry/store.h"

namespace saferl::registry {

struct Rollout {
  std::string id, model_id, model;
  int64_t to = 0;    ///< the new version
  int64_t from = 0;  ///< the stable one; 0: none so far
  RolloutPlan plan;
  RolloutState state;
  std::string who;
  int64_t created_ns = 0, updated_ns = 0;
  bool active = true;
};

struct JournalEntry {
  int64_t seq = 0, at_ns = 0;
  std::string event, who, reason;
  RolloutState before, after;
};

struct Lease {
  std::string node;
  int64_t number = 0, until_ns = 0;
};

class RolloutStore {
 public:
  explicit RolloutStore(Store* store) : store_(store) {}

  /// Makes a rollout of `version` and starts it. The stable version is what "champion" names.
  /// Approvals given before count. The caller has checked signatures (signing.h).
  StatusOr<Rollout> Start(const Version& version, const RolloutPlan& plan, const std::string& who);
  StatusOr<Rollout> Find(const std::string& id) const;
  /// The active rollout of a model, else its latest; kNotFound when there never was one.
  StatusOr<Rollout> Latest(const std::string& model) const;
  /// Newest first; every model when `model` is empty.
  StatusOr<std::vector<Rollout>> List(const std::string& model, bool only_active, int limit) const;
  /// Newest first by start and id, after the one with that start and id; every model when `model`
  /// is empty, every phase when there is none.
  StatusOr<std::vector<Rollout>> Page(
      const std::string& model, bool only_active, std::optional<Phase> phase, int limit,
      const std::optional<std::pair<int64_t, std::string>>& after) const;
  StatusOr<Rollout> Apply(const std::string& id, RolloutEvent event, const std::string& who,
                          const std::string& reason);
  /// The same, only while the rollout is as `seen` says; else kAborted and nothing changes. For
  /// whoever judged first: an acceptance of one step must never count for the next.
  StatusOr<Rollout> ApplyTo(const Rollout& seen, RolloutEvent event, const std::string& who,
                            const std::string& reason);
  StatusOr<std::vector<JournalEntry>> Journal(const std::string& id) const;

  /// A node says which version it runs; its lease is plan.lease_s from now. A version that is
  /// neither of the two is refused, the new one while the rollout gives no share of it too.
  Status Renew(const std::string& id, const std::string& node, int64_t number);
  StatusOr<std::vector<Lease>> Leases(const std::string& id) const;

  /// One controller acts at a time. True when `holder` has it until now + ttl_s.
  StatusOr<bool> TakeControl(const std::string& holder, double ttl_s);

 private:
  Store* store_;
};

/// Plan and state as JSON and back; unknown fields and values are errors.
std::string ToJson(const RolloutPlan& plan);
std::string ToJson(const RolloutState& state);
StatusOr<RolloutPlan> PlanFromJson(std::string_view json);
StatusOr<RolloutState> StateFromJson(std::string_view json);

}  // namespace saferl::registry
