#include "saferl/services/rollouts/driver.h"

#include <unistd.h>

#include <chrono>

#include "saferl/base/clock.h"
#include "saferl/base/hash.h"
#include "saferl/base/log.h"
#include "saferl/base/text.h"

namespace saferl::services {

std::string ControllerName() {
  char host[128] = {};
  if (::gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
  return Cat("controller-", Sha256Hex(Cat(host, ":", ::getpid(), ":", Nanos())).substr(0, 12));
}

RolloutDriver::RolloutDriver(registry::Store* store, Evidence* evidence,
                             const ControllerOptions& options, double period_s,
                             telemetry::Metrics* metrics)
    : controller_(store, evidence, options),
      watch_(metrics == nullptr
                 ? nullptr
                 : std::make_unique<RolloutWatch>(store, evidence, options.judge, metrics)),
      thread_([this, period_s] { Run(period_s); }) {}

RolloutDriver::~RolloutDriver() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

void RolloutDriver::Run(double period_s) {
  bool told = false;
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const StatusOr<StepReport> step = controller_.Step(Nanos());
    Status status = step.status();
    if (step.ok() && step->in_control && watch_ != nullptr) status = watch_->Turn();
    if (!status.ok() && !told)
      Log(LogLevel::kError, "rollouts not steered", {{"why", Cat(status.message())}});
    told = !status.ok();
    steps_.fetch_add(1, std::memory_order_relaxed);
    lock.lock();
    stop_.wait_for(lock, std::chrono::duration<double>(period_s), [this] { return stopping_; });
  }
}

}  // namespace saferl::services
