#pragma once
// Opcodes and little-endian pieces shared by the MCAP writer and reader. Internal to the room.
//
// RT: no. Source: mcap.dev/spec.

#include <bit>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

namespace saferl::control::mcap {

static_assert(std::endian::native == std::endian::little,
              "MCAP and the decision log are little endian");

inline constexpr std::string_view kMagic("\x89MCAP0\r\n", 8);
inline constexpr uint64_t kMaxRecordBytes = uint64_t{64} << 20;
inline constexpr size_t kRecordHead = 9;  ///< opcode and length

enum class Op : uint8_t {
  kHeader = 0x01,
  kFooter = 0x02,
  kSchema = 0x03,
  kChannel = 0x04,
  kMessage = 0x05,
  kChunk = 0x06,
  kMessageIndex = 0x07,
  kChunkIndex = 0x08,
  kAttachment = 0x09,
  kAttachmentIndex = 0x0A,
  kStatistics = 0x0B,
  kMetadata = 0x0C,
  kMetadataIndex = 0x0D,
  kSummaryOffset = 0x0E,
  kDataEnd = 0x0F,
};

/// Appends numbers and texts to a string.
class Packer {
 public:
  explicit Packer(std::string* out) : out_(out) {}
  template <class T>
  Packer& Put(T value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    out_->append(bytes, sizeof(T));
    return *this;
  }
  Packer& Text(std::string_view text) {
    Put(static_cast<uint32_t>(text.size()));
    out_->append(text);
    return *this;
  }
  Packer& Map(const std::map<std::string, std::string>& values) {
    size_t bytes = 0;
    for (const auto& [key, value] : values) bytes += 8 + key.size() + value.size();
    Put(static_cast<uint32_t>(bytes));
    for (const auto& [key, value] : values) Text(key).Text(value);
    return *this;
  }

 private:
  std::string* out_;
};

/// Takes numbers and texts from a view; every Get says whether there was enough.
class Unpacker {
 public:
  explicit Unpacker(std::string_view in) : in_(in) {}
  template <class T>
  bool Get(T* value) {
    if (in_.size() < sizeof(T)) return false;
    std::memcpy(value, in_.data(), sizeof(T));
    in_.remove_prefix(sizeof(T));
    return true;
  }
  bool Bytes(uint64_t size, std::string_view* bytes) {
    if (in_.size() < size) return false;
    *bytes = in_.substr(0, size);
    in_.remove_prefix(size);
    return true;
  }
  bool Text(std::string* text) {
    uint32_t size = 0;
    std::string_view bytes;
    if (!Get(&size) || !Bytes(size, &bytes)) return false;
    text->assign(bytes);
    return true;
  }
  bool Map(std::map<std::string, std::string>* values) {
    uint32_t size = 0;
    std::string_view bytes;
    if (!Get(&size) || !Bytes(size, &bytes)) return false;
    Unpacker inner(bytes);
    while (!inner.empty()) {
      std::string key, value;
      if (!inner.Text(&key) || !inner.Text(&value)) return false;
      (*values)[std::move(key)] = std::move(value);
    }
    return true;
  }
  bool empty() const { return in_.empty(); }
  size_t size() const { return in_.size(); }

 private:
  std::string_view in_;
};

}  // namespace saferl::control::mcap
