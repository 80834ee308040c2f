#pragma once
// GET /api/v1/alerts and /api/v1/alerts/{id}: what the safety monitor of this process raised
// (monitor/alerts.h). Without a monitor here the list is empty and says why. docs/api.md. RT: no.

#include "saferl/net/router.h"
#include "saferl/services/monitor/alerts.h"

namespace saferl::services {

/// `alerts` may be null: no monitor runs here. It outlives what `router` serves.
void AddAlertRoutes(const Alerts* alerts, net::Router* router);

}  // namespace saferl::services
