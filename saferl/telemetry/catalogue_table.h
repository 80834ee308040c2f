#pragma once
// Registration through the catalogue's table: a name that is not in it, or is there with another
// type or other labels (names in the table's order), aborts. Private to the room. RT: no.

#include <span>
#include <string_view>

#include "saferl/telemetry/metrics.h"

namespace saferl::telemetry {

Counter& MakeCounter(Metrics& metrics, std::string_view name, const Labels& labels = {},
                     double per_unit = 1);
Gauge& MakeGauge(Metrics& metrics, std::string_view name, const Labels& labels = {});
Histogram& MakeHistogram(Metrics& metrics, std::string_view name, std::span<const double> buckets,
                         const Labels& labels = {});

}  // namespace saferl::telemetry
