// The control loop: connections whose route runs there are served while everybody else's loop is
// busy, whatever they were before and whatever they ask next.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <semaphore>
#include <thread>

#include "saferl/base/text.h"
#include "saferl/net/http_server.h"
#include "saferl/net/raw_socket.h"

namespace saferl::net {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

constexpr auto kPatience = std::chrono::seconds(20);

std::string Get(std::string_view path) { return Cat("GET ", path, " HTTP/1.1\r\nHost: x\r\n\r\n"); }

class ControlLoopTest : public testing::Test {
 protected:
  ControlLoopTest() {
    Add("/robot", net::Run::kControl, [](const Request&) { return Response::Text("decided"); });
    Add("/other", net::Run::kInline, [](const Request&) { return Response::Text("other"); });
    Add("/busy", net::Run::kInline, [this](const Request&) {
      busy_.release();
      return Response::Text(release_.try_acquire_for(kPatience) ? "released" : "gave up");
    });
    Route stream;
    stream.method = Method::kGet;
    stream.operation_id = stream.pattern = "/stream";
    stream.summary = "echoes";
    stream.run = net::Run::kControl;
    stream.websocket = [](const std::shared_ptr<Stream>& s, const Request&) {
      s->on_message = [weak = std::weak_ptr(s)](std::string_view message, bool) {
        if (const auto open = weak.lock()) open->Send("", Cat("echo ", message));
      };
    };
    router_.Add(std::move(stream));
    auto server = HttpServer::Start(ServerOptions(), router_);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  void Add(std::string path, net::Run run, Handler handler) {
    Route route;
    route.method = Method::kGet;
    route.operation_id = path;
    route.pattern = std::move(path);
    route.summary = "a test's route";
    route.run = run;
    route.handler = std::move(handler);
    router_.Add(std::move(route));
  }
  /// The answer to `bytes` on `socket` while the loop of all others is stuck in a handler. Says how
  /// that one ended: it is let go only after the answer.
  std::string WhileBusy(RawSocket* socket, std::string_view bytes, std::string* answer) {
    RawSocket other(server_->port());
    EXPECT_TRUE(other.Send(Get("/busy")));
    EXPECT_TRUE(busy_.try_acquire_for(kPatience));
    EXPECT_TRUE(socket->Send(bytes));
    *answer = socket->ReadResponse();
    release_.release();
    return other.ReadResponse();
  }

  std::counting_semaphore<> busy_{0}, release_{0};
  Router router_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(ControlLoopTest, ARobotIsAnsweredWhileTheOthersLoopIsBusy) {
  RawSocket robot(server_->port());
  ASSERT_TRUE(robot.Send(Get("/robot")));
  ASSERT_THAT(robot.ReadResponse(), EndsWith("decided"));
  std::string answer;
  EXPECT_THAT(WhileBusy(&robot, Get("/robot"), &answer), EndsWith("released"));
  EXPECT_THAT(answer, EndsWith("decided"));
  // And so is whatever else it asks on the same connection.
  EXPECT_THAT(WhileBusy(&robot, Get("/other"), &answer), EndsWith("released"));
  EXPECT_THAT(answer, EndsWith("other"));
}

TEST_F(ControlLoopTest, RequestsThatWereSentAheadMoveAlong) {
  RawSocket robot(server_->port());
  ASSERT_TRUE(robot.Send(Get("/other") + Get("/robot") + Get("/other") + Get("/robot") +
                         Get("/nothing").substr(0, 20)));
  for (const char* want : {"other", "decided", "other", "decided"})
    EXPECT_THAT(robot.ReadResponse(), EndsWith(want));
  ASSERT_TRUE(robot.Send(Get("/nothing").substr(20)));
  EXPECT_THAT(robot.ReadResponse(), StartsWith("HTTP/1.1 404"));
  EXPECT_EQ(server_->counters().open, 1U) << "one connection, however often it moved";
}

TEST_F(ControlLoopTest, AStreamOfARobotIsServedThereToo) {
  RawSocket robot(server_->port());
  ASSERT_TRUE(robot.Send(
      "GET /stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
  ASSERT_THAT(robot.Read(), HasSubstr("101 Switching Protocols"));
  RawSocket other(server_->port());
  ASSERT_TRUE(other.Send(Get("/busy")));
  ASSERT_TRUE(busy_.try_acquire_for(kPatience));
  // A masked text frame with the key 0: "stop".
  ASSERT_TRUE(robot.Send(std::string_view("\x81\x84\0\0\0\0stop", 10)));
  EXPECT_THAT(robot.Read(), HasSubstr("echo stop"));
  release_.release();
  EXPECT_THAT(other.ReadResponse(), EndsWith("released"));
}

TEST_F(ControlLoopTest, TheLastWordAndTheEndComeOnTheControlLoop) {
  RawSocket robot(server_->port());
  ASSERT_TRUE(robot.Send("GET /robot HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  EXPECT_THAT(robot.ReadToEnd(), EndsWith("decided"));
  RawSocket kept(server_->port());
  ASSERT_TRUE(kept.Send(Get("/robot")));
  ASSERT_THAT(kept.ReadResponse(), EndsWith("decided"));
  EXPECT_TRUE(server_->Drain()) << "a robot's idle connection is let go";
  EXPECT_EQ(kept.ReadToEnd(), "");
}

/// Connections move and end while the server stops: none is forgotten (its memory, its count).
TEST_F(ControlLoopTest, StoppingWhileConnectionsMoveLosesNone) {
  const int port = server_->port();
  std::atomic<bool> end{false};
  std::thread crowd([&] {
    while (!end) {
      RawSocket robot(port);  // refused once the server is gone
      robot.Send(Get("/robot") + Get("/robot"));
    }
  });
  while (server_->counters().accepted < 200) std::this_thread::yield();
  server_ = nullptr;
  end = true;
  crowd.join();
}

}  // namespace
}  // namespace saferl::net
