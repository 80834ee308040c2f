#pragma once
// /api/v1/rollouts: list, create (deploy), show with its journal, judgement so far, promote,
// rollback, quarantine (docs/rollouts.md). What robots ask is in lease_routes.h. RT: no.

#include "saferl/net/router.h"
#include "saferl/services/api/idempotency.h"
#include "saferl/services/rollouts/evidence_store.h"
#include "saferl/services/rollouts/judge.h"
#include "saferl/services/rollouts/operations.h"

namespace saferl::services {

/// The judgement that the controller would make now, by the same rules. `rules` are copied.
struct RolloutParts {
  registry::Store* store;
  EvidenceStore* evidence;
  Idempotency* idempotency;
  RolloutRules rules;
};
/// Each part outlives what `router` serves; `config` is copied.
void AddRolloutRoutes(const RolloutParts& parts, const ServiceConfig& config, net::Router* router);

}  // namespace saferl::services
