#include "saferl/control/rehearsal.h"

#include "saferl/base/clock.h"
#include "saferl/control/tick_data.h"

namespace saferl::control {

Rehearsal::Rehearsal(const TickModel& model)
    : model_(model), data_(Prepare(model)), decision_(std::make_unique<Decision>()) {}

void Rehearsal::Run(const TickInput& input, const TickData& data, int64_t period_ns) {
  *data_ = data;
  input_ = input;
  // As if the next inputs were here: what is stale or repeated would end the tick early.
  input_.now_ns = Later(input_.now_ns, period_ns);
  ++input_.sequence;
  robot::Observation& o = input_.observation;
  ++o.sequence;
  for (int64_t* stamp : {&o.stamp_ns, &o.robot.stamp_ns, &o.people_stamp_ns, &o.lidar_stamp_ns,
                         &input_.human.stamp_ns, &input_.policy.stamp_ns}) {
    if (*stamp != 0) *stamp = Later(*stamp, period_ns);
  }
  ++input_.human.sequence;
  for (robot::HumanPart& part : o.parts) part.stamp_ns = Later(part.stamp_ns, period_ns);
  Tick(model_, input_, data_.get(), decision_.get());
}

}  // namespace saferl::control
