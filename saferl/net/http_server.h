#pragma once
// HttpServer: HTTP/1.1, WebSocket and server-sent events on one port; connections that open with
// the HTTP/2 preface go to gRPC (grpc_port.h) when one is attached.
//
// Strict: anything in framing that two parsers could read differently is answered 400 and the
// connection closed. Limits hold before buffering. Drain: stop accepting, answer what is in flight
// with "Connection: close", leave within the grace period.
// Threads: `io_threads` run connections and kInline handlers; `pool_threads` run kPool handlers,
// with a bounded queue (full = 503 with Retry-After). RT: no; the control path never waits for it.
// Errors: kInvalidArgument (host, certificate), kUnavailable (port taken). Source: RFC 9112, 6455.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "saferl/net/router.h"

namespace saferl::net {

struct ServerOptions {
  std::string host = "127.0.0.1";
  int port = 0;  ///< 0: any free one
  int io_threads = 1, pool_threads = 4, pool_queue = 256;
  int control_threads = 2, control_queue = 64;  ///< of kControl handlers, where there are any
  int max_connections = 1024;                   ///< one more is answered 503 and closed
  size_t max_header_bytes = 16 << 10;
  double header_timeout_s = 10;  ///< from a request's first byte to the end of its head
  double body_timeout_s = 30;    ///< for a body, plus what min_bytes_per_s grants for its size
  double write_timeout_s = 30;   ///< for an answer, plus what min_bytes_per_s grants
  double idle_timeout_s = 60;    ///< between requests; a WebSocket peer silent that long is dropped
  double request_timeout_s = 60;  ///< for a kPool handler; then 504
  double min_bytes_per_s = 16 << 10;
  /// After an answer that ends the connection what the client still sends is thrown away, so that
  /// it finds the answer: for this long, a second of silence and this many bytes at most.
  double linger_s = 10;
  uint64_t max_linger_bytes = 128 << 20;
  double drain_s = 10;
  double stream_ping_s = 15;  ///< WebSocket ping, comment line of an event stream
  size_t max_stream_queue_bytes = 1 << 20;
  bool server_timing = false;               ///< Server-Timing on every answer
  std::string tls_cert_file, tls_key_file;  ///< PEM; both or neither. TLS 1.3 only
  std::string tls_client_ca_file;           ///< when set, clients must show a certificate (mTLS)
};

/// What one request did, told after the response was written: access log, metrics, traces.
struct RequestRecord {
  const Request* request = nullptr;
  const Route* route = nullptr;  ///< nullptr: none matched
  int status = 0;
  uint64_t sent_bytes = 0;
  int64_t duration_ns = 0;
};

/// Since the start of the server, except `open`.
struct ServerCounters {
  uint64_t accepted = 0, open = 0;
  uint64_t refused = 0;  ///< above max_connections
  uint64_t requests = 0;
  uint64_t malformed = 0;      ///< framing in doubt
  uint64_t timeouts = 0;       ///< connections closed by a time limit
  uint64_t pool_full = 0;      ///< refused with 503: the queue of a kPool handler was full
  uint64_t control_full = 0;   ///< the same of a kControl handler
  uint64_t accept_errors = 0;  ///< no file descriptors
  uint64_t http2 = 0;          ///< handed to gRPC
};

/// One open event stream or WebSocket. Thread-safe; sends never block: a peer that does not read
/// loses its connection when what waits for it exceeds max_stream_queue_bytes.
class Stream {
 public:
  virtual ~Stream() = default;
  /// SSE: one event ("" = no name). WebSocket: one text message (binary when it is not UTF-8);
  /// `event` is not sent. False: the stream is closed.
  virtual bool Send(std::string_view event, std::string_view data) = 0;
  virtual bool SendBinary(std::string_view data) = 0;  ///< WebSocket only
  virtual void Close() = 0;                            ///< after what was sent before
  virtual bool open() const = 0;
  /// Called on the connection's thread. Set before the handler returns. on_close is the last call.
  std::function<void(std::string_view message, bool binary)> on_message;
  std::function<void()> on_close;
};

class HttpServer {
 public:
  /// Binds and serves. `router` must outlive the server.
  static StatusOr<std::unique_ptr<HttpServer>> Start(
      const ServerOptions& options, const Router& router,
      std::function<void(const RequestRecord&)> observer = {});
  /// Closes what is open at once; Drain first to let it finish.
  virtual ~HttpServer() = default;
  virtual int port() const = 0;
  /// Takes connections that speak HTTP/2 (the socket, with nothing read from it). Before clients.
  virtual void SetHttp2(std::function<void(int fd)> take) = 0;
  /// Stops accepting and returns when all is answered or the grace period is over. True: all was.
  virtual bool Drain() = 0;
  virtual ServerCounters counters() const = 0;
};

}  // namespace saferl::net
