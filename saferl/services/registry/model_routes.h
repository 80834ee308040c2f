#pragma once
// /api/v1/models: models, versions, aliases, approvals and the packages themselves (docs/api.md),
// over the functions that the `registry` verbs use. RT: no.

#include "saferl/net/router.h"
#include "saferl/registry/store.h"
#include "saferl/services/api/idempotency.h"
#include "saferl/services/config.h"

namespace saferl::services {

/// Each outlives what `router` serves; `config` is copied (whose keys are trusted).
void AddModelRoutes(registry::Store* store, Idempotency* idempotency, const ServiceConfig& config,
                    net::Router* router);

}  // namespace saferl::services
