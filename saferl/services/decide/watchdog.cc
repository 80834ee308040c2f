#include "saferl/services/decide/watchdog.h"

#include <algorithm>
#include <chrono>

#include "saferl/base/clock.h"

namespace saferl::services {

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

uint64_t Watchdog::Add(int64_t bound_ns, std::function<void()> end) {
  const std::lock_guard lock(mutex_);
  watched_[next_] = {bound_ns, Nanos(), std::move(end)};
  changed_.notify_all();
  return next_++;
}

void Watchdog::Touch(uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = watched_.find(id);
  if (found != watched_.end()) found->second.last_ns = Nanos();
}

void Watchdog::Remove(uint64_t id) {
  std::unique_lock lock(mutex_);
  watched_.erase(id);
  if (std::this_thread::get_id() == thread_.get_id()) return;
  ended_.wait(lock, [&] { return ending_ != id; });
}

size_t Watchdog::size() const {
  const std::lock_guard lock(mutex_);
  return watched_.size();
}

int64_t Watchdog::NextDue() const {
  int64_t due = -1;
  for (const auto& [id, watched] : watched_) {
    const int64_t at = watched.last_ns + watched.bound_ns;
    if (due < 0 || at < due) due = at;
  }
  return due;
}

void Watchdog::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const int64_t due = NextDue();
    if (due < 0) {
      changed_.wait(lock);
      continue;
    }
    const int64_t now = Nanos();
    if (due > now) {
      changed_.wait_for(lock, std::chrono::nanoseconds(due - now));
      continue;
    }
    const auto silent = std::find_if(watched_.begin(), watched_.end(), [now](const auto& one) {
      return one.second.last_ns + one.second.bound_ns <= now;
    });
    if (silent == watched_.end()) continue;
    ending_ = silent->first;
    const std::function<void()> end = std::move(silent->second.end);
    watched_.erase(silent);
    lock.unlock();
    end();
    lock.lock();
    ending_ = 0;
    ended_.notify_all();
  }
}

}  // namespace saferl::services
