#pragma once
// StackVector: up to N values on the stack that come into being one by one. Unlike std::array it
// sets nothing to zero that is never used; unlike std::vector it never allocates.
//
// Preconditions: no more than N values are pushed; index < size(). RT: yes.

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>

namespace saferl {

template <class T, size_t N>
class StackVector {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  StackVector() {}  // NOLINT(modernize-use-equals-default): "= default" lets {} clear the storage
  StackVector(const StackVector&) = delete;
  StackVector& operator=(const StackVector&) = delete;

  T& push_back(const T& value) { return *::new (storage_ + sizeof(T) * size_++) T(value); }
  void clear() { size_ = 0; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == N; }
  T* data() { return std::launder(reinterpret_cast<T*>(storage_)); }
  const T* data() const { return std::launder(reinterpret_cast<const T*>(storage_)); }
  T& operator[](size_t i) { return data()[i]; }
  const T& operator[](size_t i) const { return data()[i]; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }

 private:
  size_t size_ = 0;
  alignas(T) std::byte storage_[N * sizeof(T)];
};

}  // namespace saferl
