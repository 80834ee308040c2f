#pragma once
// WorkerPool: threads that run handlers which may block, behind a queue that is never longer than
// its bound. Full is an answer (503), not a wait. RT: no. Thread-safe.

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace saferl::net {

/// The calling thread comes before the process' others, where the system lets it: robots' commands
/// are worth more than anybody's inference. Without the right to it (CAP_SYS_NICE, RLIMIT_NICE) it
/// stays as it is.
void ComeFirst();

class WorkerPool {
 public:
  /// `begin`: called first on each thread.
  WorkerPool(int threads, int queue, void (*begin)() = nullptr);
  ~WorkerPool() { Stop(); }
  /// Takes no more, runs what waits, then ends its threads.
  void Stop();
  /// False when the queue is full.
  bool TrySubmit(std::function<void()> job);

 private:
  void Run(void (*begin)());

  const size_t queue_;
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<std::function<void()>> jobs_;
  size_t idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace saferl::net
