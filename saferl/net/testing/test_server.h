#pragma once
// A server with the routes that most tests of it need, and a gate that handlers wait at. For tests.
//
//   class MyTest : public testing::Test, protected TestServer {};
//   TEST_F(MyTest, ...) { ASSERT_TRUE(Start().ok()); ... }
// RT: no.

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "saferl/base/text.h"
#include "saferl/net/http_server.h"
#include "saferl/net/raw_socket.h"

namespace saferl::net {

inline Route MakeRoute(Method method, std::string pattern, Handler handler,
                       Run run = Run::kInline) {
  Route route;
  route.method = method;
  route.operation_id = Cat(Name(method), pattern);
  route.pattern = std::move(pattern);
  route.summary = "a test's route";
  route.handler = std::move(handler);
  route.run = run;
  return route;
}

/// A gate that a handler waits at, so that a test decides when it goes on.
class Gate {
 public:
  void Pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void AwaitWaiting(int n) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ >= n; });
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

/// Options, routes and observer may be changed until Start.
class TestServer {
 protected:
  TestServer() {
    router_.Add(MakeRoute(Method::kGet, "/hello",
                          [](const Request&) { return Response::Json(R"({"hello":"world"})"); }));
    router_.Add(MakeRoute(Method::kPost, "/echo",
                          [](const Request& request) { return Response::Text(request.body); }));
    router_.Add(MakeRoute(
        Method::kPost, "/pool/{name}",
        [](const Request& request) { return Response::Text(request.Param("name") + request.body); },
        Run::kPool));
    router_.Add(MakeRoute(Method::kGet, "/throws", [](const Request&) -> Response {
      throw std::runtime_error("secret detail");
    }));
  }

  Status Start() {
    SAFERL_ASSIGN_OR_RETURN(server_, HttpServer::Start(options_, router_, observer_));
    return absl::OkStatus();
  }
  std::string Url(std::string_view path) { return Cat("http://127.0.0.1:", server_->port(), path); }
  /// Sends `bytes` on a new connection and reads until the server closes it; "" when it cannot.
  std::string Raw(std::string_view bytes) {
    RawSocket socket(server_->port());
    if (!socket.Send(bytes)) return "";
    socket.FinishSending();
    return socket.ReadToEnd();
  }

  ServerOptions options_;
  Gate gate_;  ///< outlives the server, whose handlers wait at it
  Router router_;
  std::function<void(const RequestRecord&)> observer_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace saferl::net
