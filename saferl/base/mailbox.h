#pragma once
// Mailbox: the latest value wins. One writer, one reader, both wait-free; neither ever waits for
// the other and the reader never sees half a value. A triple buffer: the writer fills its slot and
// swaps it with the middle one; the reader swaps the middle one with its own when it is newer.
//
// T: trivially copyable. The object itself has no pointers: it may live in shared memory,
// zero-initialised memory plus one constructor call by the creator (layout:
// docs/formats/shared_memory.md). RT: yes. Cost: one copy of T and one atomic exchange. Source:
// Simpson's four-slot idea reduced to three slots with an atomic exchange.

#include <array>
#include <atomic>
#include <cstdint>
#include <type_traits>

namespace saferl {

template <class T>
class Mailbox {
  static_assert(std::is_trivially_copyable_v<T>);
  static_assert(std::atomic<uint32_t>::is_always_lock_free);

 public:
  Mailbox() = default;
  explicit Mailbox(const T& initial) { slots_.fill(Slot{initial}); }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// Writer only.
  void Write(const T& value) {
    slots_[back_].value = value;
    back_ = middle_.exchange(back_ | kFresh, std::memory_order_acq_rel) & kIndex;
  }

  /// Reader only. True when a value newer than the last one read was there. `*value` always gets
  /// the latest value (the initial one before the first Write).
  bool Read(T* value) {
    const bool fresh = Refresh();
    *value = slots_[front_].value;
    return fresh;
  }

  /// Reader only: like Read, without the copy. The reference stays valid and unchanged until the
  /// next call.
  const T& Latest(bool* fresh = nullptr) {
    const bool is_fresh = Refresh();
    if (fresh != nullptr) *fresh = is_fresh;
    return slots_[front_].value;
  }

 private:
  static constexpr uint32_t kFresh = 4, kIndex = 3;

  bool Refresh() {
    if ((middle_.load(std::memory_order_relaxed) & kFresh) == 0) return false;
    front_ = middle_.exchange(front_, std::memory_order_acq_rel) & kIndex;
    if (front_ > 2)
      front_ = 2;  // a foreign process wrote rubbish into shared memory: stay inside the array
    return true;
  }

  struct alignas(64) Slot {
    T value{};
  };
  std::array<Slot, 3> slots_{};
  alignas(64) std::atomic<uint32_t> middle_{1};
  alignas(64) uint32_t back_ = 0;   // the writer's
  alignas(64) uint32_t front_ = 2;  // the reader's
};

}  // namespace saferl
