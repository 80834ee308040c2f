// What ends a connection, a wait or the server: time limits, full queues, no descriptors, drain.
#include "saferl/net/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <future>
#include <latch>
#include <thread>
#include <vector>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/net/http_client.h"
#include "saferl/net/testing/test_server.h"

namespace saferl::net {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class HttpLimitsTest : public testing::Test, protected TestServer {};

TEST_F(HttpLimitsTest, SlowLorisIsCutOffAndOthersAreServed) {
  options_.header_timeout_s = options_.body_timeout_s = options_.idle_timeout_s = 0.3;
  ASSERT_TRUE(Start().ok());
  std::vector<RawSocket> slow;
  for (int i = 0; i < 60; ++i) {
    slow.emplace_back(server_->port());
    ASSERT_TRUE(slow.back().Send(
        i % 3 == 0   ? "GET /hello HTTP/1.1\r\nHost"
        : i % 3 == 1 ? "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab"
                     : ""));
  }
  EXPECT_EQ(HttpClient().Send({.url = Url("/hello")})->status, 200);
  for (int i = 0; i < 60; ++i) {
    const std::string answer = slow[static_cast<size_t>(i)].ReadToEnd();
    EXPECT_FALSE(slow[static_cast<size_t>(i)].timed_out()) << i;
    EXPECT_EQ(RawSocket::StatusOf(answer), i % 3 == 2 ? 0 : 408) << i;
  }
  EXPECT_GE(server_->counters().timeouts, 60u);
}

TEST_F(HttpLimitsTest, ADripThatNeverEndsIsCutOff) {
  options_.header_timeout_s = options_.body_timeout_s = 0.3;
  ASSERT_TRUE(Start().ok());
  // One byte whenever the last was taken: progress alone does not keep a connection.
  RawSocket socket(server_->port());
  ASSERT_TRUE(socket.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"));
  std::string answer;
  while (answer.empty() && socket.Send("x")) answer = socket.Read(0.01);
  EXPECT_EQ(RawSocket::StatusOf(answer), 408);
}

TEST_F(HttpLimitsTest, AHalfOpenClientStillGetsItsAnswer) {
  ASSERT_TRUE(Start().ok());
  RawSocket socket(server_->port());
  ASSERT_TRUE(socket.Send("POST /pool/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\ny"));
  socket.FinishSending();
  EXPECT_TRUE(socket.ReadToEnd().ends_with("xy"));
}

TEST_F(HttpLimitsTest, APeerThatNeverReadsIsDropped) {
  options_.write_timeout_s = 0.2;
  options_.min_bytes_per_s = 1e9;
  router_.Add(MakeRoute(Method::kGet, "/huge",
                        [](const Request&) { return Response::Text(std::string(32 << 20, 'a')); }));
  std::promise<void> told;
  observer_ = [&](const RequestRecord&) { told.set_value(); };
  ASSERT_TRUE(Start().ok());
  RawSocket socket(server_->port());
  ASSERT_TRUE(socket.Send("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n"));
  told.get_future().wait();
  EXPECT_EQ(server_->counters().timeouts, 1u);
  EXPECT_LT(socket.ReadToEnd().size(), size_t{32} << 20);
}

TEST_F(HttpLimitsTest, AFullPoolIs503WithRetryAfterAndInlineRoutesLive) {
  options_.pool_threads = 2;
  options_.pool_queue = 3;
  router_.Add(MakeRoute(
      Method::kGet, "/wait",
      [&](const Request&) {
        gate_.Pass();
        return Response::Text("waited");
      },
      Run::kPool));
  ASSERT_TRUE(Start().ok());
  const std::string get = "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n";
  std::vector<RawSocket> clients;
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(clients.emplace_back(server_->port()).Send(get));
  gate_.AwaitWaiting(2);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(clients.emplace_back(server_->port()).Send(get));
  // Three wait in the queue; the answers of the seven others come while all threads are held.
  int refused = 0;
  std::vector<pollfd> waits;
  for (const RawSocket& client : clients) waits.push_back({client.fd(), POLLIN, 0});
  while (refused < 7) {
    ASSERT_GT(poll(waits.data(), waits.size(), 10'000), 0);
    for (size_t i = 0; i < waits.size(); ++i) {
      if (waits[i].revents == 0) continue;
      const std::string answer = clients[i].ReadResponse();
      EXPECT_EQ(RawSocket::StatusOf(answer), 503);
      EXPECT_THAT(answer, HasSubstr("Retry-After: 1"));
      waits[i].fd = -1;
      ++refused;
    }
  }
  EXPECT_EQ(HttpClient().Send({.url = Url("/hello")})->status, 200);
  EXPECT_EQ(server_->counters().pool_full, 7u);
  gate_.Open();
  for (size_t i = 0; i < clients.size(); ++i) {
    if (waits[i].fd < 0) continue;
    EXPECT_TRUE(clients[i].ReadResponse().ends_with("waited")) << i;
  }
}

TEST_F(HttpLimitsTest, AHandlerThatTakesTooLongIs504) {
  options_.request_timeout_s = 0.2;
  router_.Add(MakeRoute(
      Method::kGet, "/wait",
      [&](const Request& request) {
        gate_.Pass();
        return Response::Text(request.path);
      },
      Run::kPool));
  ASSERT_TRUE(Start().ok());
  HttpClient client;
  EXPECT_EQ(client.Send({.url = Url("/wait")})->status, 504);
  EXPECT_EQ(client.Send({.url = Url("/hello")})->status, 200);
  gate_.Open();
}

TEST_F(HttpLimitsTest, ConnectionsAreBounded) {
  options_.max_connections = 5;
  ASSERT_TRUE(Start().ok());
  std::vector<RawSocket> held;
  for (int i = 0; i < 5; ++i) {
    held.emplace_back(server_->port());
    ASSERT_TRUE(held.back().Send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
    ASSERT_EQ(RawSocket::StatusOf(held.back().ReadResponse()), 200);
  }
  RawSocket sixth(server_->port());
  EXPECT_EQ(RawSocket::StatusOf(sixth.ReadToEnd()), 503);
  EXPECT_EQ(server_->counters().refused, 1u);
  ASSERT_TRUE(held[0].Send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(RawSocket::StatusOf(held[0].ReadResponse()), 200) << "those inside stay";
}

TEST_F(HttpLimitsTest, NoDescriptorsLeftIsSurvivedWithoutSpinning) {
  ASSERT_TRUE(Start().ok());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest = dup(0);
  close(lowest);
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(lowest) + 20;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  {
    // Clients take descriptors too, until there is none for the server to accept the last ones
    // with.
    std::vector<RawSocket> clients;
    while (true) {
      clients.emplace_back(server_->port());
      if (!clients.back().connected()) break;
    }
    while (server_->counters().accept_errors < 1) std::this_thread::yield();
    const int64_t start_ns = Nanos();
    while (server_->counters().accept_errors < 4) std::this_thread::yield();
    EXPECT_GE(Seconds(Nanos() - start_ns), 0.1) << "three more tries, 50 ms apart";
  }
  EXPECT_EQ(HttpClient().Send({.url = Url("/hello")})->status, 200) << "served again";
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST_F(HttpLimitsTest, DrainUnderLoadFailsNoRequest) {
  options_.io_threads = 2;
  ASSERT_TRUE(Start().ok());
  std::atomic<int> answered{0}, failed{0};
  std::latch warm(8);
  std::vector<std::thread> clients;
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([&, c] {
      RawSocket socket(server_->port());
      for (int i = 0;; ++i) {
        if (i == 20) warm.count_down();
        const char* request =
            c % 2 == 0 ? "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
                       : "POST /pool/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab";
        const bool sent = socket.Send(request);
        const std::string answer = sent ? socket.ReadResponse() : "";
        if (RawSocket::StatusOf(answer) != 200) {
          ++failed;
          return;
        }
        ++answered;
        if (answer.find("Connection: close") != std::string::npos) return;
      }
    });
  }
  warm.wait();
  EXPECT_TRUE(server_->Drain());
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(failed, 0);
  EXPECT_GE(answered, 160);
  EXPECT_EQ(server_->counters().open, 0u);
  EXPECT_FALSE(RawSocket(server_->port()).connected()) << "nobody listens any more";
}

TEST_F(HttpLimitsTest, DrainEndsWhenTheGraceIsOver) {
  options_.drain_s = 0.3;
  router_.Add(MakeRoute(
      Method::kGet, "/wait",
      [&](const Request&) {
        gate_.Pass();
        return Response::Text("late");
      },
      Run::kPool));
  ASSERT_TRUE(Start().ok());
  RawSocket socket(server_->port());
  ASSERT_TRUE(socket.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"));
  gate_.AwaitWaiting(1);
  EXPECT_FALSE(server_->Drain());
  EXPECT_EQ(socket.ReadToEnd(), "");
  gate_.Open();
}

}  // namespace
}  // namespace saferl::net
