#include "saferl/safety/latch.h"
#include "saferl/base/clock.h"

#include <algorithm>

namespace saferl::safety {

Reason ReasonSet::Worst() const {
  Reason worst = Reason::kNone;
  Mode mode = Mode::kNominal;
  for (uint32_t i = 1; i < 32; ++i) {
    if (((bits_ >> i) & 1U) == 0) continue;
    const auto reason = static_cast<Reason>(i);
    if (worst == Reason::kNone || DemandedMode(reason) > mode) {
      worst = reason;
      mode = DemandedMode(reason);
    }
  }
  return worst;
}

Mode UpdateLatch(const LatchModel& model, const LatchInput& input, LatchData* data) {
  const Reason worst = input.reasons.Worst();
  const Mode demanded = DemandedMode(worst);
  const bool healthy = input.at_rest && demanded < Mode::kControlledStop;
  // A clock that runs backward restarts the dwell instead of completing it.
  if (healthy && (!data->healthy || input.now_ns < data->healthy_since_ns)) {
    data->healthy_since_ns = input.now_ns;
  }
  data->healthy = healthy;
  const bool pressed = input.acknowledge && !data->acknowledge_before;
  data->acknowledge_before = input.acknowledge;

  bool latched = false;
  if (data->mode == Mode::kProtectiveStop) {
    latched = !(healthy && pressed);
  } else if (data->mode == Mode::kControlledStop) {
    latched = !(healthy && Elapsed(data->healthy_since_ns, input.now_ns) >= model.dwell_ns);
  }
  if (!latched || demanded > data->mode) {
    data->mode = demanded;
    data->reason = worst;
  }
  return data->mode;
}

}  // namespace saferl::safety
