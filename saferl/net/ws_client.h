#pragma once
// WsClient: one outgoing WebSocket, plain or TLS 1.3 (as client_stream.h), every wait bounded.
//
// Not thread-safe. Frames of the server pass the reader that is fuzzed (websocket.h); pings are
// answered in Next. After an error nothing more comes: connect anew.
// Errors: kInvalidArgument (URL, PEM file), kUnavailable (refused, reset, closed, not a WebSocket),
// kDeadlineExceeded (connect). No message contains the URL's query. RT: no. Source: RFC 6455.

#include <memory>
#include <string>
#include <string_view>

#include "saferl/net/client_stream.h"
#include "saferl/net/websocket.h"

namespace saferl::net {

struct WsClientOptions {
  std::string url{};                               ///< ws:// or wss://
  std::string ca_file{}, cert_file{}, key_file{};  ///< PEM; empty: the system's CAs, none
  double connect_timeout_s = 2, send_timeout_s = 0.5;
  size_t max_message_bytes = 1 << 20;
};

class WsClient {
 public:
  static StatusOr<std::unique_ptr<WsClient>> Connect(const WsClientOptions& options);
  /// True: `message` holds the next one. False: none came by the deadline.
  StatusOr<bool> Next(const Deadline& deadline, std::string* message, bool* binary);
  Status Send(std::string_view text) { return Write(Opcode::kText, text); }
  Status Ping() { return Write(Opcode::kPing, ""); }
  /// When the last byte of the server came.
  int64_t heard_ns() const { return heard_ns_; }

 private:
  WsClient(const WsClientOptions& options, std::unique_ptr<ClientStream> stream)
      : options_(options),
        stream_(std::move(stream)),
        reader_(options.max_message_bytes, WebSocketReader::Peer::kServer) {}
  Status Shake(const std::string& host, const std::string& target, const Deadline& deadline);
  Status Write(Opcode opcode, std::string_view payload);

  const WsClientOptions options_;
  std::unique_ptr<ClientStream> stream_;
  WebSocketReader reader_;
  std::string held_, frame_;
  int64_t heard_ns_ = 0;
};

}  // namespace saferl::net
