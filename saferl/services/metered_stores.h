#pragma once
// Metered: a store that counts and times what is asked of it (telemetry's "storage" metrics) and
// does the rest as the one below it. Errors that say no more than what was asked for (not found,
// already there, bad arguments) are answers, not failures. RT: no. Threads: as below.

#include <memory>

#include "saferl/storage/cache.h"
#include "saferl/storage/database.h"
#include "saferl/storage/objects.h"
#include "saferl/telemetry/metrics.h"

namespace saferl::services {

std::unique_ptr<storage::Database> Metered(std::unique_ptr<storage::Database> database,
                                           telemetry::Metrics* metrics);
std::unique_ptr<storage::Objects> Metered(std::unique_ptr<storage::Objects> objects,
                                          telemetry::Metrics* metrics);
std::unique_ptr<storage::Cache> Metered(std::unique_ptr<storage::Cache> cache,
                                        telemetry::Metrics* metrics);

}  // namespace saferl::services
