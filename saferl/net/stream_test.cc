// Event streams and WebSockets through a real server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <vector>

#include "saferl/base/text.h"
#include "saferl/net/http_server.h"
#include "saferl/net/raw_socket.h"
#include "saferl/net/stream_queue.h"

namespace saferl::net {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kUpgrade =
    "GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A client's frame with a zero mask: payload as it is.
std::string Frame(uint8_t first, std::string_view payload) {
  std::string out(1, static_cast<char>(first));
  if (payload.size() < 126) {
    out += static_cast<char>(0x80 | payload.size());
  } else {
    out += static_cast<char>(0xfe);
    out += static_cast<char>(payload.size() >> 8);
    out += static_cast<char>(payload.size());
  }
  return out + std::string(4, '\0') + std::string(payload);
}

class StreamTest : public testing::Test {
 protected:
  void Start() {
    Route echo;
    echo.pattern = "/echo";
    echo.operation_id = "echo";
    echo.max_body_bytes = 1000;
    echo.websocket = [this](std::shared_ptr<Stream> stream, const Request&) {
      // A weak pointer: a stream that held itself would never be freed.
      stream->on_message = [weak = std::weak_ptr(stream)](std::string_view text, bool binary) {
        const auto self = weak.lock();
        if (text == "close") return self->Close();
        if (binary) {
          self->SendBinary(text);
        } else {
          self->Send("", text);
        }
      };
      stream->on_close = [this] { closed_.set_value(); };
      const std::lock_guard lock(mutex_);
      stream_ = stream;
      opened_.notify_all();
    };
    router_.Add(std::move(echo));
    Route events;
    events.pattern = "/events";
    events.operation_id = "events";
    events.events = [this](std::shared_ptr<Stream> stream, const Request&) {
      stream->Send("tick", "1\n2");
      stream->Send("", "plain");
      stream->on_close = [this] { closed_.set_value(); };
      const std::lock_guard lock(mutex_);
      stream_ = stream;
      opened_.notify_all();
    };
    router_.Add(std::move(events));
    Route pool;
    pool.pattern = "/pool";
    pool.operation_id = "pool";
    pool.run = Run::kPool;
    pool.events = [](std::shared_ptr<Stream> stream, const Request&) {
      stream->Send("", "from the pool");
      stream->Close();
    };
    router_.Add(std::move(pool));
    auto server = HttpServer::Start(options_, router_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::shared_ptr<Stream> Opened() {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return stream_ != nullptr; });
    return stream_;
  }
  /// A connected WebSocket whose 101 was read.
  RawSocket Connect() {
    RawSocket socket(server_->port());
    EXPECT_TRUE(socket.Send(kUpgrade));
    const std::string head = socket.ReadResponse();
    EXPECT_THAT(head, StartsWith("HTTP/1.1 101 "));
    EXPECT_THAT(head, HasSubstr("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    return socket;
  }
  static std::string ReadBytes(RawSocket* socket, size_t n) {
    std::string bytes;
    while (bytes.size() < n) {
      const std::string more = socket->Read();
      if (more.empty()) break;
      bytes += more;
    }
    return bytes;
  }

  ServerOptions options_;
  Router router_;
  std::mutex mutex_;
  std::condition_variable opened_;
  std::shared_ptr<Stream> stream_;
  std::promise<void> closed_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(StreamTest, WebSocketEchoPingAndClose) {
  Start();
  RawSocket socket = Connect();
  ASSERT_TRUE(socket.Send(Frame(0x81, "hello") + Frame(0x89, "p") + Frame(0x82, "\x01\x02")));
  EXPECT_EQ(ReadBytes(&socket, 14), "\x81\x05hello\x8a\x01p\x82\x02\x01\x02");
  ASSERT_TRUE(socket.Send(Frame(0x88, "\x03\xe9")));
  EXPECT_EQ(socket.ReadToEnd(), "\x88\x02\x03\xe9") << "the code comes back, then the end";
  closed_.get_future().wait();
  EXPECT_FALSE(Opened()->open());
  EXPECT_FALSE(Opened()->Send("", "too late"));
}

TEST_F(StreamTest, TheServerClosesAWebSocketAfterWhatItSent) {
  Start();
  RawSocket socket = Connect();
  ASSERT_TRUE(socket.Send(Frame(0x81, "last") + Frame(0x81, "close")));
  EXPECT_EQ(ReadBytes(&socket, 10), "\x81\x04last\x88\x02\x03\xe8");
  ASSERT_TRUE(socket.Send(Frame(0x88, "\x03\xe8")));
  EXPECT_EQ(socket.ReadToEnd(), "");
  closed_.get_future().wait();
}

TEST_F(StreamTest, BrokenFramesEndTheWebSocketWithTheirCode) {
  Start();
  RawSocket unmasked = Connect();
  ASSERT_TRUE(unmasked.Send("\x81\x01x"));
  EXPECT_EQ(unmasked.ReadToEnd(), "\x88\x02\x03\xea");
  closed_.get_future().wait();
  closed_ = {};
  RawSocket large = Connect();
  ASSERT_TRUE(large.Send(Frame(0x81, std::string(1001, 'x'))));
  EXPECT_EQ(large.ReadToEnd(), "\x88\x02\x03\xf1");
  closed_.get_future().wait();
  EXPECT_EQ(server_->counters().malformed, 2u);
}

TEST_F(StreamTest, WhatIsNoUpgradeIsAnswered) {
  Start();
  RawSocket plain(server_->port());
  ASSERT_TRUE(plain.Send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"));
  const std::string answer = plain.ReadToEnd();
  EXPECT_EQ(RawSocket::StatusOf(answer), 426);
  EXPECT_THAT(answer, HasSubstr("Upgrade: websocket"));
  RawSocket foreign(server_->port());
  std::string upgrade(kUpgrade);
  upgrade.insert(upgrade.size() - 2, "Origin: http://evil.example\r\n");
  ASSERT_TRUE(foreign.Send(upgrade));
  EXPECT_EQ(RawSocket::StatusOf(foreign.ReadToEnd()), 403);
}

TEST_F(StreamTest, EventsAreChunkedAndEnd) {
  Start();
  RawSocket socket(server_->port());
  ASSERT_TRUE(socket.Send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n"));
  const auto stream = Opened();
  EXPECT_FALSE(stream->SendBinary("no such thing"));
  EXPECT_TRUE(stream->Send("last", "3"));
  stream->Close();
  EXPECT_FALSE(stream->Send("", "after"));
  const std::string answer = socket.ReadToEnd();
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/event-stream\r\n"));
  EXPECT_THAT(answer, HasSubstr("event: tick\ndata: 1\ndata: 2\n\n"));
  EXPECT_THAT(answer, HasSubstr("data: plain\n\n"));
  EXPECT_THAT(answer, HasSubstr("event: last\ndata: 3\n\n"));
  EXPECT_TRUE(answer.ends_with("\r\n0\r\n\r\n"));
  closed_.get_future().wait();
}

TEST_F(StreamTest, Http10AndPoolStreams) {
  Start();
  RawSocket socket(server_->port());
  ASSERT_TRUE(socket.Send("GET /pool HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(socket.ReadToEnd().ends_with("\r\n\r\ndata: from the pool\n\n"));
}

TEST_F(StreamTest, AClientThatLeavesIsNoticed) {
  Start();
  {
    RawSocket socket(server_->port());
    ASSERT_TRUE(socket.Send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n"));
    Opened();
  }
  closed_.get_future().wait();
  EXPECT_FALSE(Opened()->open());
}

TEST_F(StreamTest, APeerThatDoesNotReadIsDroppedAndSendsNeverBlock) {
  options_.max_stream_queue_bytes = 1 << 20;
  Start();
  RawSocket socket = Connect();
  const auto stream = Opened();
  const std::string megabyte(100'000, 'x');
  int sent = 0;
  while (stream->SendBinary(megabyte)) ++sent;
  closed_.get_future().wait();
  EXPECT_GE(sent, 10);
  EXPECT_FALSE(stream->open());
}

TEST_F(StreamTest, SilentPeersArePingedThenDropped) {
  options_.stream_ping_s = 0.1;
  options_.idle_timeout_s = 0.5;
  Start();
  RawSocket socket = Connect();
  EXPECT_EQ(ReadBytes(&socket, 2), std::string("\x89\0", 2));
  socket.ReadToEnd();
  EXPECT_FALSE(socket.timed_out());
  closed_.get_future().wait();
}

TEST_F(StreamTest, DrainSaysGoingAway) {
  Start();
  RawSocket socket = Connect();
  Opened();
  std::thread drain([this] { EXPECT_TRUE(server_->Drain()); });
  EXPECT_EQ(socket.ReadToEnd(), "\x88\x02\x03\xe9");
  socket.Close();
  drain.join();
}

TEST_F(StreamTest, AStreamOutlivesItsServer) {
  Start();
  RawSocket socket = Connect();
  const auto stream = Opened();
  server_.reset();
  EXPECT_FALSE(stream->open());
  EXPECT_FALSE(stream->Send("", "x"));
  stream->Close();
}

TEST(EventText, LinesAndNamesCannotBreakOut) {
  EXPECT_EQ(EventText("a\nb", "x\r\ny\rz\n"), "event: a b\ndata: x\ndata: y\ndata: z\ndata: \n\n");
  EXPECT_EQ(EventText("", ""), "data: \n\n");
}

}  // namespace
}  // namespace saferl::net
