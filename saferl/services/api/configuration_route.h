#pragma once
// GET /api/v1/configuration: every field as it is in effect, its default and where its value came
// from. Secrets, and what a URL carries of them, are hidden. docs/api.md. RT: no.

#include "saferl/net/router.h"
#include "saferl/services/config.h"

namespace saferl::services {

void AddConfigurationRoute(const ServiceConfig& config, net::Router* router);

/// Without user, password and query.
std::string HideUrlSecrets(const std::string& text);

}  // namespace saferl::services
