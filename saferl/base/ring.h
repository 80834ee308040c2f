#pragma once
// Ring: a bounded queue from one producer to one consumer, both wait-free. A full ring refuses the
// new value and counts it: nothing is overwritten, nothing waits.
//
// T: trivially copyable; N: a power of two. No pointers inside: it may live in shared memory.
// RT: yes. Cost: one copy of T and two atomic operations.

#include <array>
#include <atomic>
#include <cstdint>
#include <type_traits>

namespace saferl {

template <class T, uint32_t N>
class Ring {
  static_assert(std::is_trivially_copyable_v<T>);
  static_assert(N >= 2 && (N & (N - 1)) == 0, "capacity must be a power of two");

 public:
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  static constexpr uint32_t capacity() { return N; }

  /// Producer only. False (and counted) when full.
  bool Push(const T& value) {
    const uint32_t head = head_.load(std::memory_order_relaxed);
    if (head - tail_seen_ >= N) {
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (head - tail_seen_ >= N) {
        dropped_.store(dropped_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        return false;
      }
    }
    slots_[head & (N - 1)] = value;
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

  /// Consumer only. False when empty.
  bool Pop(T* value) {
    const uint32_t tail = tail_.load(std::memory_order_relaxed);
    if (tail == head_seen_) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail == head_seen_) return false;
    }
    *value = slots_[tail & (N - 1)];
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  /// Values waiting; exact only when both sides rest.
  uint32_t size() const {
    return head_.load(std::memory_order_acquire) - tail_.load(std::memory_order_acquire);
  }
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  alignas(64) std::atomic<uint32_t> head_{0};
  uint32_t tail_seen_ = 0;  // the producer's copy
  std::atomic<uint64_t> dropped_{0};
  alignas(64) std::atomic<uint32_t> tail_{0};
  uint32_t head_seen_ = 0;  // the consumer's copy
  alignas(64) std::array<T, N> slots_{};
};

}  // namespace saferl
