#pragma once
// Watchdog of control streams: a client that is silent for longer than the bound that it stated
// loses its stream, with the reason. It is a courtesy to the client: what stops the robot is the
// robot itself, when nothing newer arrives within valid_for_ns.
// Safe from any thread. RT: no. Cost: one thread that sleeps until the next bound.

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace saferl::services {

class Watchdog {
 public:
  Watchdog() : thread_([this] { Run(); }) {}
  ~Watchdog();
  /// `end` is called once, on the watchdog's thread, when `bound_ns` passes without Touch.
  uint64_t Add(int64_t bound_ns, std::function<void()> end);
  void Touch(uint64_t id);
  /// After it, `end` is not called any more, and not running (unless this is its own thread).
  void Remove(uint64_t id);
  size_t size() const;

 private:
  struct Watched {
    int64_t bound_ns = 0, last_ns = 0;
    std::function<void()> end;
  };
  void Run();
  /// With the lock: what is due next; -1 when nothing is watched.
  int64_t NextDue() const;

  mutable std::mutex mutex_;
  std::condition_variable changed_, ended_;
  std::map<uint64_t, Watched> watched_;
  uint64_t next_ = 1, ending_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace saferl::services
