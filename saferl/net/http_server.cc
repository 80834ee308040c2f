#include "saferl/net/http_server.h"

#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/net/asio_names.h"
#include "saferl/net/connection.h"

namespace saferl::net {
namespace {

using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;

constexpr auto kSweep = std::chrono::milliseconds(50);
constexpr auto kAcceptPause = std::chrono::milliseconds(50);
constexpr double kStop_s = 5;
constexpr std::string_view kTooMany =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
    "Connection: close\r\n\r\n";

/// One thread with its reactor and the connections that live on it.
struct Loop {
  Connection::Set connections;  ///< touched on the loop's thread only
  asio::io_context context{1};  ///< what is left of them ends with it
  asio::executor_work_guard<Executor> work{context.get_executor()};
  Timer sweep{context};
  bool sweeping = false;
  std::thread thread;
};

class Server final : public HttpServer {
 public:
  Server(const ServerOptions& options, const Router& router,
         std::function<void(const RequestRecord&)> observer)
      : core_(options, router, std::move(observer)) {
    core_.on_closed = [this] { Closed(); };
  }
  ~Server() override { Stop(); }

  Status Open();
  int port() const override { return port_; }
  void SetHttp2(std::function<void(int fd)> take) override {
    core_.http2.store(std::make_shared<const std::function<void(int)>>(std::move(take)));
  }
  bool Drain() override;
  ServerCounters counters() const override;

 private:
  void AddControl();
  Task<void> Accept();
  void Begin(Socket socket, Loop* loop);
  void StartSweep(Loop* loop);
  void CloseAcceptor();
  void AbortAll();
  void Stop();
  void Closed();
  bool WaitUntilEmpty(double seconds);

  ServerCore core_;
  int port_ = 0;
  std::atomic<uint64_t> open_{0};
  std::mutex mutex_;
  std::condition_variable empty_;
  std::vector<std::unique_ptr<Loop>> loops_;  ///< the last one is the control loop, if there is one
  size_t accepting_ = 0;                      ///< loops that get new connections
  std::optional<Acceptor> acceptor_;
  size_t next_loop_ = 0;
};

Status Server::Open() {
  error_code error;
  const std::string host = core_.options.host == "localhost" ? "127.0.0.1" : core_.options.host;
  const asio::ip::address address = asio::ip::make_address(host, error);
  if (error) {
    return absl::InvalidArgumentError(
        Cat("host: '", core_.options.host, "' is not an IP address; give one, such as 127.0.0.1"));
  }
  if (core_.options.port < 0 || core_.options.port > 65535) {
    return absl::InvalidArgumentError(Cat("port: ", core_.options.port, " is not in [0, 65535]"));
  }
  if (!core_.options.tls_cert_file.empty() || !core_.options.tls_key_file.empty()) {
    SAFERL_ASSIGN_OR_RETURN(
        core_.tls, TlsContext::Create({core_.options.tls_cert_file, core_.options.tls_key_file,
                                       core_.options.tls_client_ca_file}));
  }
  for (int i = 0; i < std::max(1, core_.options.io_threads); ++i) {
    loops_.push_back(std::make_unique<Loop>());
  }
  acceptor_.emplace(loops_[0]->context);
  const asio::ip::tcp::endpoint endpoint(address, static_cast<uint16_t>(core_.options.port));
  acceptor_->open(endpoint.protocol(), error);
  if (!error) acceptor_->set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor_->bind(endpoint, error);
  if (!error) acceptor_->listen(asio::socket_base::max_listen_connections, error);
  if (!error) acceptor_->non_blocking(true, error);
  if (error) {
    return absl::UnavailableError(Cat("cannot listen on ", core_.options.host, ":",
                                      core_.options.port, ": ", error.message(),
                                      "; free the port or choose another"));
  }
  port_ = acceptor_->local_endpoint().port();
  core_.pool = std::make_unique<WorkerPool>(std::max(1, core_.options.pool_threads),
                                            core_.options.pool_queue);
  accepting_ = loops_.size();
  const auto& routes = core_.dispatcher.router().routes();
  const bool control = std::any_of(routes.begin(), routes.end(),
                                   [](const auto& route) { return route->run == Run::kControl; });
  if (control) AddControl();
  asio::co_spawn(loops_[0]->context, Accept(), SayException);
  for (size_t i = 0; i < loops_.size(); ++i) {
    loops_[i]->thread = std::thread([context = &loops_[i]->context, first = i >= accepting_] {
      if (first) ComeFirst();
      context->run();
    });
  }
  return absl::OkStatus();
}

/// A loop and threads for robots, which nobody else's work can fill.
void Server::AddControl() {
  core_.control = std::make_unique<WorkerPool>(std::max(1, core_.options.control_threads),
                                               core_.options.control_queue, ComeFirst);
  loops_.push_back(std::make_unique<Loop>());
  core_.to_control = [this, loop = loops_.back().get()](Handover from) {
    ++open_;  // the one that hands over ends by itself
    asio::post(loop->context, [this, loop, from = std::move(from)]() mutable {
      Connection::Adopt(&core_, &loop->context, &loop->connections, std::move(from));
      StartSweep(loop);
    });
  };
}

Task<void> Server::Accept() {
  Timer pause(loops_[0]->context);
  while (true) {
    Loop* loop = loops_[next_loop_++ % accepting_].get();
    Socket socket(loop->context);
    auto [error] = co_await acceptor_->async_accept(socket, kResult);
    if (error == asio::error::operation_aborted || !acceptor_->is_open()) co_return;
    if (!error) {
      Begin(std::move(socket), loop);
      continue;
    }
    if (error == asio::error::connection_aborted) continue;
    // No descriptors or no memory: what waits in the backlog keeps until some are free again.
    ++core_.tally.accept_errors;
    pause.expires_after(kAcceptPause);
    co_await pause.async_wait(kResult);
  }
}

void Server::Begin(Socket socket, Loop* loop) {
  ++core_.tally.accepted;
  if (open_ >= static_cast<uint64_t>(core_.options.max_connections)) {
    ++core_.tally.refused;
    (void)!send(socket.native_handle(), kTooMany.data(), kTooMany.size(),
                MSG_DONTWAIT | MSG_NOSIGNAL);
    return;
  }
  ++open_;
  error_code ignored;
  const int fd = socket.release(ignored);
  asio::post(loop->context, [this, loop, fd] {
    Connection::Create(&core_, &loop->context, &loop->connections, fd);
    StartSweep(loop);
  });
}

/// While there are connections, their time limits are looked at every kSweep.
void Server::StartSweep(Loop* loop) {
  if (loop->sweeping) return;
  loop->sweeping = true;
  const auto sweep = [](Loop* on) -> Task<void> {
    while (!on->connections.empty()) {
      on->sweep.expires_after(kSweep);
      co_await on->sweep.async_wait(kResult);
      const int64_t now_ns = Nanos();
      for (Connection* connection : on->connections) connection->Sweep(now_ns);
    }
    on->sweeping = false;
  };
  asio::co_spawn(loop->context, sweep(loop), SayException);
}

void Server::Closed() {
  const std::lock_guard lock(mutex_);
  if (--open_ == 0) empty_.notify_all();
}

bool Server::WaitUntilEmpty(double seconds) {
  std::unique_lock lock(mutex_);
  return empty_.wait_for(lock, std::chrono::duration<double>(seconds),
                         [this] { return open_ == 0; });
}

/// Takes what had connected before, then closes: a client in the backlog is not reset.
void Server::CloseAcceptor() {
  std::promise<void> closed;
  asio::post(loops_[0]->context, [&] {
    error_code error;
    while (acceptor_->is_open() && !error) {
      Loop* loop = loops_[next_loop_++ % accepting_].get();
      Socket socket(loop->context);
      acceptor_->accept(socket, error);
      if (!error) Begin(std::move(socket), loop);
    }
    acceptor_->close(error);
    closed.set_value();
  });
  closed.get_future().wait();
}

void Server::AbortAll() {
  core_.aborting = true;
  for (auto& loop : loops_) {
    asio::post(loop->context, [on = loop.get()] {
      for (Connection* connection : on->connections) connection->Abort();
    });
  }
}

bool Server::Drain() {
  core_.draining = true;
  CloseAcceptor();
  if (WaitUntilEmpty(core_.options.drain_s)) return true;
  AbortAll();
  return false;
}

void Server::Stop() {
  if (loops_.empty() || !loops_[0]->thread.joinable()) return;
  core_.draining = true;
  CloseAcceptor();
  AbortAll();
  core_.pool->Stop();  // its last jobs post to the loops
  if (core_.control != nullptr) core_.control->Stop();
  WaitUntilEmpty(kStop_s);
  for (auto& loop : loops_) loop->work.reset();
  for (auto& loop : loops_) loop->context.stop();
  for (auto& loop : loops_) loop->thread.join();
}

ServerCounters Server::counters() const {
  return {.accepted = core_.tally.accepted,
          .open = open_,
          .refused = core_.tally.refused,
          .requests = core_.tally.requests,
          .malformed = core_.tally.malformed,
          .timeouts = core_.tally.timeouts,
          .pool_full = core_.tally.pool_full,
          .control_full = core_.tally.control_full,
          .accept_errors = core_.tally.accept_errors,
          .http2 = core_.tally.http2};
}

}  // namespace

StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    const ServerOptions& options, const Router& router,
    std::function<void(const RequestRecord&)> observer) {
  auto server = std::make_unique<Server>(options, router, std::move(observer));
  SAFERL_RETURN_IF_ERROR(server->Open());
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace saferl::net
