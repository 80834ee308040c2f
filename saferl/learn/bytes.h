#pragma once
// Plain values to and from bytes, little-endian as in memory, for checkpoints.
//
// Reader: every read is checked; after the first one that does not fit, ok() is false and all
// further reads give zeros, so that a caller checks once at the end. RT: no.

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace saferl::learn {

class ByteWriter {
 public:
  template <class T>
  void Put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  template <class T>
  void PutAll(const std::vector<T>& values) {
    static_assert(std::is_trivially_copyable_v<T>);
    Put<uint64_t>(values.size());
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }
  void PutText(std::string_view text) {
    Put<uint64_t>(text.size());
    bytes_.append(text);
  }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : left_(bytes) {}

  template <class T>
  T Get() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    if (Has(sizeof value)) {
      std::memcpy(&value, left_.data(), sizeof value);
      left_.remove_prefix(sizeof value);
    }
    return value;
  }
  template <class T>
  std::vector<T> GetAll() {
    const auto n = Get<uint64_t>();
    if (n > left_.size() / sizeof(T)) ok_ = false;
    if (!ok_) return {};
    std::vector<T> values(n);
    if (n > 0) std::memcpy(values.data(), left_.data(), n * sizeof(T));
    left_.remove_prefix(n * sizeof(T));
    return values;
  }
  std::string GetText() {
    const std::vector<char> text = GetAll<char>();
    return {text.begin(), text.end()};
  }
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && left_.empty(); }
  /// For values that fit but make no sense.
  void Fail() { ok_ = false; }

 private:
  bool Has(size_t n) {
    if (left_.size() < n) ok_ = false;
    return ok_;
  }
  std::string_view left_;
  bool ok_ = true;
};

}  // namespace saferl::learn
