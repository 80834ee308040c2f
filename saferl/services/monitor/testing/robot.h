#pragma once
// For tests of the monitor: a robot in the test's own process, on simulated time, that honours
// lease and stop word as saferl_rt does. Its decisions may be corrupted on their way to the stream.

#include <unistd.h>

#include <cmath>
#include <functional>
#include <memory>
#include <string>

#include "saferl/base/clock.h"
#include "saferl/control/shm.h"
#include "saferl/control/workload.h"

namespace saferl::services::monitor_testing {

constexpr double kLease_s = 0.2;

/// Polls until it is true; false after half a minute: a loaded machine is slow, not broken.
inline bool WaitFor(const std::function<bool()>& condition) {
  const Deadline deadline = Deadline::After(30 * kNanosPerSecond);
  while (!condition()) {
    if (deadline.Passed()) return false;
    usleep(500);
  }
  return true;
}

/// A robot in this process, on simulated time, that honours lease and stop word as saferl_rt does.
class Robot {
 public:
  explicit Robot(const std::string& path)
      : model_(*control::MakeBenchModel("wheelchair", false)),
        data_(control::Prepare(model_)),
        workload_(model_.safety->robot),
        shm_(*control::ShmEndpoint::Create(path, *model_.safety->robot, FromSeconds(kLease_s))) {}

  const control::Decision& Step(const std::function<void(control::Decision*)>& corrupt = {}) {
    control::TickInput input = workload_.Next(), word;
    shm_->Read(Nanos(), &word);
    input.lease_ok = word.lease_ok;
    input.stop_requested = word.stop_requested;
    input.human.acknowledge = ++steps_ / 20 % 2 == 1;
    control::Tick(model_, input, data_.get(), decision_.get());
    workload_.Apply(decision_->command);
    control::Decision sent = *decision_;
    if (corrupt) corrupt(&sent);
    shm_->Write(sent);
    usleep(2000);
    return *decision_;
  }
  bool StepUntil(const std::function<bool(const control::Decision&)>& condition) {
    return WaitFor([&] { return condition(Step()); });
  }
  bool Drive() {
    return StepUntil([](const control::Decision& d) {
      return d.command.mode == safety::Mode::kNominal && std::abs(d.command.u[0]) > 0.1;
    });
  }

 private:
  control::TickModel model_;
  std::unique_ptr<control::TickData, void (*)(control::TickData*)> data_;
  control::Workload workload_;
  std::unique_ptr<control::ShmEndpoint> shm_;
  std::unique_ptr<control::Decision> decision_ = std::make_unique<control::Decision>();
  int steps_ = 0;
};

}  // namespace saferl::services::monitor_testing
