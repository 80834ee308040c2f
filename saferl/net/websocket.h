#pragma once
// WebSocket: handshake and frames, without I/O.
//
// The reader takes the peer's bytes and gives whole messages. Refused, each with its close code:
// frames of a client without a mask and of a server with one, reserved bits and opcodes, fragmented
// or long control frames, a length that is not in its shortest form, a continuation without a start
// (1002); text that is not UTF-8 (1007); a message above the limit, before it is buffered (1009).
// No extensions are negotiated. RT: no. Source: RFC 6455.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "saferl/net/http.h"

namespace saferl::net {

enum class Opcode : uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10
};

namespace close_code {
inline constexpr uint16_t kNormal = 1000, kGoingAway = 1001, kProtocol = 1002, kBadText = 1007,
                          kPolicy = 1008, kTooBig = 1009, kInternal = 1011;
}

/// Sec-WebSocket-Accept of a Sec-WebSocket-Key.
std::string WebSocketAccept(std::string_view key);

/// What is wrong with an upgrade request, as status and detail; nothing when it may go on. A page
/// of another origin is refused (403): browsers let any page open a WebSocket to any host.
struct UpgradeError {
  int status;
  std::string_view detail;
};
std::optional<UpgradeError> CheckUpgrade(const Request& request);

/// A server's frame (unmasked, final).
void AppendFrame(Opcode opcode, std::string_view payload, std::string* out);
/// A client's frame: masked with four fresh random bytes, final.
void AppendClientFrame(Opcode opcode, std::string_view payload, std::string* out);
/// A fresh Sec-WebSocket-Key.
std::string WebSocketKey();
/// A close frame with code and reason.
void AppendClose(uint16_t code, std::string_view reason, std::string* out);

class WebSocketReader {
 public:
  enum class Peer : uint8_t { kClient, kServer };
  explicit WebSocketReader(size_t max_message_bytes, Peer peer = Peer::kClient)
      : max_message_bytes_(max_message_bytes), masked_(peer == Peer::kClient) {}

  enum class Result : uint8_t { kNeedMore, kMessage, kError };
  /// Takes bytes off the front of `*bytes` up to the end of one message or control frame.
  Result Next(std::string_view* bytes);
  /// After kMessage: kText or kBinary with the whole message, or kClose, kPing, kPong.
  Opcode opcode() const { return opcode_; }
  std::string& payload() { return opcode_ < Opcode::kClose ? message_ : control_; }
  /// After kMessage with kClose: the peer's code, 0 when it gave none.
  uint16_t peer_code() const { return peer_code_; }
  /// After kError: the close code to send.
  uint16_t error_code() const { return error_code_; }

 private:
  struct Header {
    Opcode opcode = Opcode::kContinuation;
    bool final = false;
    uint64_t length = 0;
    uint8_t mask[4] = {};
  };
  Result TakeHeader(std::string_view* bytes);
  Result Finish();
  Result Fail(uint16_t code) {
    error_code_ = code;
    return Result::kError;
  }

  size_t max_message_bytes_;
  bool masked_;
  bool in_frame_ = false, in_message_ = false, delivered_ = false;
  Header frame_;
  uint64_t left_ = 0;  ///< payload bytes of the frame still to come
  Opcode message_opcode_ = Opcode::kText, opcode_ = Opcode::kText;
  uint16_t peer_code_ = 0, error_code_ = 0;
  std::string message_, control_;
};

}  // namespace saferl::net
