#pragma once
// Rehearsal: the tick before the tick. Shortly before a tick is due the last one runs once more on
// copies, so that code, policy and rows lie in the caches when it counts; nothing of it is kept.
//
// Between two ticks of 1 ms the processor's caches are other people's: a tick that finds them cold
// takes about twice as long (`saferl bench tick --paced`). RT: Run yes (it is a Tick); the
// constructor allocates.

#include <memory>

#include "saferl/control/tick.h"

namespace saferl::control {

class Rehearsal {
 public:
  explicit Rehearsal(const TickModel& model);
  /// `input` and `data` as the last tick left them; the copy is a period older.
  void Run(const TickInput& input, const TickData& data, int64_t period_ns);

 private:
  const TickModel& model_;
  TickInput input_;
  std::unique_ptr<TickData, void (*)(TickData*)> data_;
  std::unique_ptr<Decision> decision_;
};

}  // namespace saferl::control
