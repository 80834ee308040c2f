#include "saferl/learn/parallel.h"

#include <algorithm>

namespace saferl::learn {

Parallel::Parallel(int threads) {
  for (int t = 1; t < std::max(1, threads); ++t) workers_.emplace_back([this, t] { Work(t); });
}

Parallel::~Parallel() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  start_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Parallel::For(int n, const std::function<void(int, int)>& fn) {
  if (workers_.empty()) {
    for (int i = 0; i < n; ++i) fn(i, 0);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    fn_ = &fn;
    n_ = n;
    next_ = 0;
    running_ = threads();
    ++generation_;
  }
  start_.notify_all();
  Drain(0);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return running_ == 0; });
}

void Parallel::Work(int thread) {
  uint64_t seen = 0;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      start_.wait(lock, [&] { return stop_ || generation_ != seen; });
      if (stop_) return;
      seen = generation_;
    }
    Drain(thread);
  }
}

void Parallel::Drain(int thread) {
  std::unique_lock lock(mutex_);
  while (next_ < n_) {
    const int index = next_++;
    lock.unlock();
    (*fn_)(index, thread);
    lock.lock();
  }
  if (--running_ == 0) done_.notify_all();
}

}  // namespace saferl::learn
