#include "saferl/net/worker_pool.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <utility>

namespace saferl::net {

void ComeFirst() {
  // Real-time, at its least; threads that it starts are ordinary ones again.
  const sched_param least{.sched_priority = sched_get_priority_min(SCHED_RR)};
  if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &least) == 0) return;
  constexpr int kControlNice = -10;
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kControlNice);
}

WorkerPool::WorkerPool(int threads, int queue, void (*begin)())
    : queue_(static_cast<size_t>(queue)) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this, begin] { Run(begin); });
}

void WorkerPool::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  filled_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

bool WorkerPool::TrySubmit(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    // A job that an idle thread is about to take does not wait.
    if (stopping_ || jobs_.size() >= queue_ + idle_) return false;
    jobs_.push_back(std::move(job));
  }
  filled_.notify_one();
  return true;
}

void WorkerPool::Run(void (*begin)()) {
  if (begin != nullptr) begin();
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    filled_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    --idle_;
    if (jobs_.empty()) return;
    const std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
}

}  // namespace saferl::net
