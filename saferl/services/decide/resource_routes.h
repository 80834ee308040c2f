#pragma once
// Resources of shared control on the API: robots (kept), sessions (of this process), decisions
// (kept; query and replay). docs/api.md. Lists are paged (api/pagination.h), representations have
// entity tags (api/etag.h), POSTs take an Idempotency-Key (api/idempotency.h).
// RT: no; every handler runs on the pool.

#include <memory>

#include "saferl/net/router.h"
#include "saferl/services/api/api_route.h"
#include "saferl/services/api/idempotency.h"
#include "saferl/services/decide/decision_store.h"
#include "saferl/services/decide/sessions.h"

namespace saferl::services {

/// Each outlives what `router` serves.
void AddDecisionRoutes(DecisionStore* store, Sessions* sessions, net::Router* router);
void AddSessionRoutes(Sessions* sessions, Idempotency* idempotency, net::Router* router);
/// Makes the table of robots.
Status AddRobotRoutes(storage::Database* database, Sessions* sessions, Idempotency* idempotency,
                      net::Router* router);

}  // namespace saferl::services
