#pragma once
// Connection: one client's socket from accept to close, on the thread of its loop; a robot's goes
// on on the control loop from its first request on. Internal to the server; http_server.cc makes
// them, connection_client.h is what they do.
//
// Everything but Create and Adopt runs on the loop's thread. RT: no.

#include <atomic>
#include <functional>
#include <memory>
#include <unordered_set>

#include "saferl/net/dispatcher.h"
#include "saferl/net/http_server.h"
#include "saferl/net/request_reader.h"
#include "saferl/net/tls.h"
#include "saferl/net/worker_pool.h"

namespace boost::asio {
class io_context;
}

namespace saferl::net {

/// A connection on its way from the loop that accepted it to the control loop: its socket, and the
/// request that was read and shall be served there.
struct Handover {
  int fd = -1;
  std::unique_ptr<TlsSession> tls;
  RequestReader reader;  ///< with the head of `request`
  std::shared_ptr<Request> request;
  const Route* route = nullptr;
  bool close = false;  ///< after the answer
  std::string unread;  ///< bytes after the request
};

/// What the connections of a server share.
struct ServerCore {
  ServerCore(const ServerOptions& settings, const Router& router,
             std::function<void(const RequestRecord&)> told)
      : options(settings),
        dispatcher(router, {.server_timing = settings.server_timing}),
        observer(std::move(told)) {}

  const ServerOptions options;
  const Dispatcher dispatcher;
  const std::function<void(const RequestRecord&)> observer;
  std::shared_ptr<const TlsContext> tls;
  std::unique_ptr<WorkerPool> pool, control;  ///< control: null when no route runs there
  std::atomic<std::shared_ptr<const std::function<void(int)>>> http2;
  std::atomic<bool> draining{false}, aborting{false};
  std::function<void()> on_closed;           ///< a connection has ended
  std::function<void(Handover)> to_control;  ///< set when a route runs there
  struct {
    std::atomic<uint64_t> accepted{0}, refused{0}, requests{0}, malformed{0}, timeouts{0},
        pool_full{0}, control_full{0}, accept_errors{0}, http2{0};
  } tally;
};

class Connection {
 public:
  /// The connections of one loop; each enters and leaves by itself.
  using Set = std::unordered_set<Connection*>;

  /// Takes the connected socket `fd` and serves it until it ends.
  static void Create(ServerCore* core, boost::asio::io_context* loop, Set* set, int fd);
  /// Takes a connection over, and serves the request that it came with first.
  static void Adopt(ServerCore* core, boost::asio::io_context* loop, Set* set, Handover from);
  virtual ~Connection() = default;
  /// Looks at time limits, pings and drain; now and then.
  virtual void Sweep(int64_t now_ns) = 0;
  /// Ends it at once.
  virtual void Abort() = 0;
};

}  // namespace saferl::net
