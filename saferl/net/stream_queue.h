#pragma once
// StreamQueue: the Stream that handlers hold, and all of an event stream or WebSocket that is not
// I/O. Any thread sends; the connection's thread takes the wire bytes and hands in the peer's.
// RT: no. Source: RFC 6455, HTML Living Standard (server-sent events), RFC 9112 (chunks).

#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "saferl/net/http_server.h"
#include "saferl/net/websocket.h"

namespace saferl::net {

class StreamQueue final : public Stream {
 public:
  enum class Kind : uint8_t { kEvents, kChunkedEvents, kWebSocket };
  struct Limits {
    size_t queued_bytes = 1 << 20, message_bytes = 1 << 20;
  };
  /// `wake` is called, from any thread, when bytes wait or the stream was closed.
  StreamQueue(Kind kind, const Limits& limits, std::function<void()> wake)
      : kind_(kind), limits_(limits), reader_(limits.message_bytes), wake_(std::move(wake)) {}

  bool Send(std::string_view event, std::string_view data) override;
  bool SendBinary(std::string_view data) override;
  void Close() override;
  bool open() const override;

  // The connection's side, on its thread.
  bool is_websocket() const { return kind_ == Kind::kWebSocket; }
  /// The answer that opens the stream.
  std::string Head(const Request& request) const;
  /// Moves what waits into `out`. False: closed, and nothing waits.
  bool Take(std::string* out);
  /// The bytes that close it: a close frame with the peer's code or `code`, or the last chunk.
  std::string End(uint16_t code);
  /// Takes the peer's bytes: messages go to on_message, pings are answered, an event stream's
  /// client has nothing to say. False: the peer closed, or broke the protocol.
  bool Receive(std::string_view* bytes);
  /// After Receive was false: the peer broke the protocol.
  bool malformed() const { return reader_.error_code() != 0; }
  /// A WebSocket ping, or a comment line.
  void Ping();
  /// The peer did not read: too much waits.
  bool overflowed() const;
  /// From here on every send is refused and `wake` is not called any more.
  void Detach();

 private:
  bool Append(std::string_view wire_bytes);
  void AppendLocked(std::string_view wire_bytes);
  void Push(std::string_view wire_bytes);

  const Kind kind_;
  const Limits limits_;
  WebSocketReader reader_;
  uint16_t peer_code_ = 0;  ///< what the peer closed with, or the code of its error
  bool ended_ = false;      ///< our close frame is on its way: what comes is not delivered
  mutable std::mutex mutex_;
  std::function<void()> wake_;
  std::string waiting_;
  bool open_ = true, overflowed_ = false;
};

/// One server-sent event; `data` may have several lines.
std::string EventText(std::string_view event, std::string_view data);

}  // namespace saferl::net
