#pragma once
// RESP, Redis' protocol: commands to bytes, bytes to answers, no I/O. hiredis formats and parses.
//
// Limits: an answer of 64 MiB, 1,024 elements an array, 7 levels. Anything else is an error after
// which the reader is useless and the connection must go. RT: no. Source: RESP 2.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::storage {

inline constexpr size_t kMaxRespBytes = 64 << 20;

struct RespValue {
  enum class Kind : uint8_t { kNil, kInteger, kText, kBytes, kError, kArray };
  Kind kind = Kind::kNil;
  int64_t integer = 0;
  std::string text = {};  ///< of kText (a status), kBytes and kError
  std::vector<RespValue> elements = {};
};

/// One command: {"SET", key, value, ...}; any bytes.
std::string RespCommand(std::span<const std::string_view> words);
std::string RespCommand(std::initializer_list<std::string_view> words);

class RespReader {
 public:
  RespReader();
  ~RespReader();
  void Feed(std::string_view bytes);
  /// The next complete answer; empty when more bytes are needed; kUnavailable: not RESP, or beyond
  /// the limits.
  StatusOr<std::optional<RespValue>> Next();
  bool empty() const;  ///< no byte is left over

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace saferl::storage
