#pragma once
// What robots ask of a rollout over the network (docs/rollouts.md):
//   POST /api/v1/leases                        which version do I run, and until when?
//   POST /api/v1/rollouts/{rollout}/reports    this is what happened while I ran it
// A robot asks again after renew_s; what it was not told again in time is over by its own clock
// (lease.h). A report carries an id of the robot's: sent twice it counts once. RT: no.
// Errors: RFC 9457; the field is named.

#include "saferl/net/router.h"
#include "saferl/services/rollouts/evidence_store.h"
#include "saferl/services/rollouts/lease.h"

namespace saferl::services {

/// Each outlives what `router` serves.
void AddLeaseRoutes(registry::Store* store, EvidenceStore* evidence, net::Router* router);

}  // namespace saferl::services
