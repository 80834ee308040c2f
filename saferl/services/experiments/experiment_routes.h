#pragma once
// /api/v1/experiments: create, list, get, progress, finish (experiment_store.h, docs/api.md).
// `saferl train --report URL` is a client of it. RT: no.

#include "saferl/net/router.h"
#include "saferl/services/api/idempotency.h"
#include "saferl/services/experiments/experiment_store.h"

namespace saferl::services {

/// Each outlives what `router` serves.
void AddExperimentRoutes(ExperimentStore* store, Idempotency* idempotency, net::Router* router);

}  // namespace saferl::services
