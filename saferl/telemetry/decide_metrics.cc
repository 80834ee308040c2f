#include "saferl/telemetry/decide_metrics.h"

#include "saferl/telemetry/catalogue_table.h"

namespace saferl::telemetry {

DecisionMetrics::DecisionMetrics(Metrics& metrics)
    : kept(MakeCounter(metrics, "saferl_decisions_kept_total")),
      dropped(MakeCounter(metrics, "saferl_decisions_dropped_total")) {}

LatchMetrics::LatchMetrics(Metrics& metrics)
    : waiting(MakeGauge(metrics, "saferl_latches_waiting")) {}

StreamMetrics::StreamMetrics(Metrics& metrics)
    : open(MakeGauge(metrics, "saferl_control_streams")),
      silent(MakeCounter(metrics, "saferl_control_streams_silent_total")),
      overtaken(MakeCounter(metrics, "saferl_control_ticks_overtaken_total")) {}

}  // namespace saferl::telemetry
