#pragma once
// Dispatcher: what happens between a parsed message and the bytes of its answer, without I/O. The
// server calls its steps in order; tests and the fuzz target call the same ones.
//
//   Head  -> route, or the error that ends the request before its body is read
//   Body  -> the body unpacked into the request, or an error
//   Call  -> the handler's answer
//   Write -> the answer's bytes: compressed when asked for, HEAD without body, ids and date added
//
// RT: no. Thread-safe; Write uses a clock that is read once a second per thread.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "saferl/net/request_reader.h"
#include "saferl/net/router.h"

namespace saferl::net {

struct DispatchOptions {
  bool server_timing = false;         ///< Server-Timing: app;dur=<ms> on every answer
  size_t compress_from_bytes = 1024;  ///< smaller answers are sent as they are
};

struct WriteOptions {
  bool close = false;       ///< add Connection: close
  int minor_version = 1;    ///< of the request
  int64_t received_ns = 0;  ///< for Server-Timing
};

class Dispatcher {
 public:
  Dispatcher(const Router& router, const DispatchOptions& options)
      : router_(router), options_(options) {}

  /// Empties the request of all that the last one left, and gives it an id.
  static void Begin(Request* request);
  /// Fills `request` from the head (whose fields move out of it) and finds the route. An answer
  /// means that the request ends here.
  std::optional<Response> Head(RequestHead* head, Request* request, const Route** route) const;
  /// Moves `body` into the request, unpacked.
  std::optional<Response> Body(const Route& route, std::string* body, Request* request) const;
  /// The handler's answer; an exception is logged and becomes 500.
  Response Call(const Route& route, const Request& request) const;
  /// Hands the stream to its handler; an exception is logged and closes it.
  void Open(const Route& route, const std::shared_ptr<Stream>& stream,
            const Request& request) const;
  const Router& router() const { return router_; }
  /// An error in the shape of the request's path.
  Response Error(const Request& request, int status, std::string_view detail) const {
    return router_.Error(request, status, detail);
  }
  /// Appends head and body of the answer to `out`.
  void Write(const Request& request, Response response, const WriteOptions& options,
             std::string* out) const;

 private:
  const Router& router_;
  DispatchOptions options_;
};

/// The head of a stream's answer (server-sent events, 101): status line and given fields.
std::string StreamHead(const Request& request, int status, const Headers& fields);

}  // namespace saferl::net
