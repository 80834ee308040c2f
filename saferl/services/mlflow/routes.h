#pragma once
// MLflow's model registry REST API (21 routes) over our registry, so that training scripts, CI and
// dashboards that speak MLflow need no change.
//
// Under /api/2.0/mlflow and /ajax-api/2.0/mlflow. GET takes its arguments from the query, every
// other verb from a JSON object; success is always 200 with an object; errors are MLflow's
// {"error_code","message"}. Unknown fields are passed over, as MLflow's own server does.
// Where we differ, on purpose:
//   - a version's source is "sha256:DIGEST" of bytes that were pushed before, or
//     "models:/NAME/VERSION" of one that is here. No path and no URL is taken, so nothing that a
//     client names is ever opened or fetched: MLflow's path-traversal and SSRF holes
//     (CVE-2023-6977, CVE-2024-1483, CVE-2024-3848) have nothing to go through;
//   - the same bytes are the same version: creating it twice answers the first one;
//   - search results carry aliases.
// RT: no. Source: mlflow/protos/model_registry.proto.

#include "saferl/net/router.h"
#include "saferl/registry/store.h"

namespace saferl::services::mlflow {

void AddRoutes(registry::Store* store, net::Router* router);

}  // namespace saferl::services::mlflow
