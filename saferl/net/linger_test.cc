// Clients that send all of a request before they read: whatever is wrong with it, they get the
// answer, and none of them holds the server for longer than its bounds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/net/http_server.h"
#include "saferl/net/raw_socket.h"

namespace saferl::net {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr size_t kLarge = 20'000'000;

class LingerTest : public testing::Test {
 protected:
  void Start() {
    for (const net::Run run : {Run::kInline, Run::kPool, Run::kControl}) {
      Route route;
      route.method = Method::kPost;
      route.pattern = Cat("/small/", static_cast<int>(run));
      route.operation_id = route.pattern;
      route.run = run;
      route.handler = [](const Request& request) { return Response::Text(request.body); };
      router_.Add(std::move(route));
    }
    auto server = HttpServer::Start(options_, router_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::string Head(std::string_view path, std::string_view framing) const {
    return Cat("POST ", path, " HTTP/1.1\r\nHost: a\r\n", framing, "\r\n\r\n");
  }

  ServerOptions options_;
  Router router_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(LingerTest, WhoSendsAllBeforeItReadsGetsTheAnswer) {
  Start();
  const std::string body(kLarge, 'x');
  const std::string length = Cat("Content-Length: ", kLarge);
  std::string chunks;
  for (size_t at = 0; at < kLarge; at += 100'000)
    chunks += Cat("186a0\r\n", std::string(100'000, 'x'), "\r\n");
  const struct {
    std::string head;
    const std::string& rest;
    const char* status;
  } cases[] = {
      {Head("/small/0", length), body, "413"},
      {Head("/small/1", length), body, "413"},
      {Head("/small/2", length), body, "413"},
      {Head("/small/0", "Transfer-Encoding: chunked"), chunks, "413"},
      {Head("/none", length), body, "404"},
      {Head("/none", "Transfer-Encoding: chunked"), chunks, "404"},
      {Head("/small/0", "Content-Length: 1\r\nContent-Length: 2"), body, "400"},
  };
  for (const auto& [head, rest, status] : cases) {
    SCOPED_TRACE(head);
    RawSocket socket(server_->port());
    ASSERT_TRUE(socket.Send(head));
    ASSERT_TRUE(socket.Send(rest)) << "the server stopped taking it";
    const std::string answer = socket.ReadToEnd();
    EXPECT_THAT(answer, StartsWith(Cat("HTTP/1.1 ", status, " ")));
    EXPECT_THAT(answer, HasSubstr("Connection: close"));
    EXPECT_FALSE(socket.timed_out());
  }
}

TEST_F(LingerTest, WhatIsThrownAwayIsBoundedInBytes) {
  options_.max_linger_bytes = 4 << 20;
  Start();
  RawSocket socket(server_->port());
  ASSERT_TRUE(socket.Send(Head("/small/0", "Content-Length: 999999999")));
  const std::string piece(1 << 20, 'x');
  int sent = 0;
  while (sent < 200 && socket.Send(piece)) ++sent;
  EXPECT_GE(sent, 4);
  EXPECT_LT(sent, 60) << "its bound and what both kernels' buffers hold";
}

TEST_F(LingerTest, WhatIsThrownAwayIsBoundedInTime) {
  options_.linger_s = 0.5;
  Start();
  // One drips, one is silent and does not close.
  for (const bool drips : {true, false}) {
    RawSocket socket(server_->port());
    ASSERT_TRUE(socket.Send(Head("/small/0", "Content-Length: 999999999")));
    EXPECT_EQ(RawSocket::StatusOf(socket.ReadResponse()), 413);
    const int64_t start_ns = Nanos();
    while (server_->counters().open > 0 && Nanos() - start_ns < 20 * kNanosPerSecond) {
      if (drips) socket.Send("x");
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    EXPECT_EQ(server_->counters().open, 0u) << drips;
    EXPECT_LT(Nanos() - start_ns, 5 * kNanosPerSecond);
  }
}

TEST_F(LingerTest, ADrainDoesNotWaitForThem) {
  options_.linger_s = 60;
  options_.drain_s = 4;
  Start();
  RawSocket socket(server_->port());
  ASSERT_TRUE(socket.Send(Head("/small/0", "Content-Length: 999999999")));
  EXPECT_EQ(RawSocket::StatusOf(socket.ReadResponse()), 413);
  std::atomic<bool> over{false};
  std::thread drips([&] {
    while (!over && socket.Send("x")) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  });
  const int64_t start_ns = Nanos();
  EXPECT_TRUE(server_->Drain());
  EXPECT_LT(Nanos() - start_ns, 3 * kNanosPerSecond);
  over = true;
  drips.join();
}

}  // namespace
}  // namespace saferl::net
