#pragma once
// A fixed set of worker threads and one verb: run fn(i) for i in [0, n) and wait.
//
// Which thread runs which index is not fixed; results are, because every fn(i) writes only to place
// i and the caller adds the places up in index order. That is how training is bit-equal at any
// thread count. RT: no (locks). Errors: fn must not throw.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace saferl::learn {

class Parallel {
 public:
  /// `threads` >= 1; the calling thread is one of them.
  explicit Parallel(int threads);
  ~Parallel();
  Parallel(const Parallel&) = delete;
  Parallel& operator=(const Parallel&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// fn(index, thread): `thread` in [0, threads()) names scratch that no other running call uses.
  void For(int n, const std::function<void(int index, int thread)>& fn);

 private:
  void Work(int thread);
  void Drain(int thread);

  std::mutex mutex_;
  std::condition_variable start_, done_;
  const std::function<void(int, int)>* fn_ = nullptr;
  int n_ = 0, next_ = 0, running_ = 0;
  uint64_t generation_ = 0;
  bool stop_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace saferl::learn
