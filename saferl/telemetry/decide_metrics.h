#pragma once
// What decisions over the network count: kept decisions, latched stops and control
// streams. Everything exists at 0 from the start. RT: recording yes, constructing no.

#include "saferl/telemetry/metrics.h"

namespace saferl::telemetry {

struct DecisionMetrics {
  explicit DecisionMetrics(Metrics& metrics);
  Counter &kept, &dropped;
};

struct LatchMetrics {
  explicit LatchMetrics(Metrics& metrics);
  Gauge& waiting;
};

struct StreamMetrics {
  explicit StreamMetrics(Metrics& metrics);
  Gauge& open;
  Counter &silent, &overtaken;
};

}  // namespace saferl::telemetry
