#pragma once
// Driver: Controller::Step() on a thread of its own, until destruction. A step that fails is told
// once in the log and tried again. RT: no.

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "saferl/services/rollouts/controller.h"
#include "saferl/services/rollouts/rollout_watch.h"

namespace saferl::services {

class RolloutDriver {
 public:
  /// All must outlive this. `metrics`: those of rollouts go there; or none.
  RolloutDriver(registry::Store* store, Evidence* evidence, const ControllerOptions& options,
                double period_s, telemetry::Metrics* metrics = nullptr);
  ~RolloutDriver();
  uint64_t steps() const { return steps_.load(std::memory_order_relaxed); }

 private:
  void Run(double period_s);
  Controller controller_;
  std::unique_ptr<RolloutWatch> watch_;
  std::atomic<uint64_t> steps_{0};
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::thread thread_;
};

/// A name for the controllers' lease that no other process has.
std::string ControllerName();

}  // namespace saferl::services
