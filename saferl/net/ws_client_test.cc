// The outgoing WebSocket against our server: messages both ways, pings, TLS, and every way in which
// it may fail says so in time.
#include "saferl/net/ws_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "saferl/base/text.h"
#include "saferl/net/http_server.h"

namespace saferl::net {
namespace {

using ::testing::HasSubstr;

Deadline Soon() { return Deadline::After(10 * kNanosPerSecond); }

class WsClientTest : public testing::Test {
 protected:
  void Start(const ServerOptions& options = {}) {
    Route echo;
    echo.pattern = "/echo";
    echo.operation_id = "echo";
    echo.websocket = [](const std::shared_ptr<Stream>& stream, const Request&) {
      stream->on_message = [weak = std::weak_ptr(stream)](std::string_view message, bool) {
        const auto open = weak.lock();
        if (open == nullptr) return;
        if (message == "close") return open->Close();
        open->Send("", message);
        open->SendBinary(message);
      };
    };
    Route robot = echo;
    robot.pattern = robot.operation_id = "/robot";
    robot.run = net::Run::kControl;
    router_.Add(std::move(echo));
    router_.Add(std::move(robot));
    Route plain;
    plain.pattern = "/plain";
    plain.operation_id = "plain";
    plain.handler = [](const Request&) { return Response::Text("no"); };
    router_.Add(std::move(plain));
    server_ = *HttpServer::Start(options, router_);
  }
  WsClientOptions To(const char* scheme, const char* path) const {
    return {.url = Cat(scheme, "://127.0.0.1:", server_->port(), path)};
  }
  Router router_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(WsClientTest, MessagesOfEveryLengthGoThereAndBack) {
  ServerOptions options;
  options.stream_ping_s = 0.001;  // pings come between everything
  Start(options);
  auto client = WsClient::Connect(To("ws", "/echo"));
  ASSERT_TRUE(client.ok()) << client.status();
  for (const size_t size : {0u, 1u, 125u, 126u, 65535u, 65536u, 200000u}) {
    const std::string sent(size, 'x');
    ASSERT_TRUE((*client)->Send(sent).ok());
    ASSERT_TRUE((*client)->Ping().ok());
    for (const bool wanted : {false, true}) {
      std::string message;
      bool binary = !wanted;
      const StatusOr<bool> got = (*client)->Next(Soon(), &message, &binary);
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_TRUE(*got);
      EXPECT_EQ(binary, wanted);
      EXPECT_EQ(message, sent);
    }
  }
  std::string message;
  bool binary = false;
  const StatusOr<bool> none = (*client)->Next(Deadline::After(5'000'000), &message, &binary);
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_FALSE(*none);
  ASSERT_TRUE((*client)->Send("close").ok());
  EXPECT_THAT((*client)->Next(Soon(), &message, &binary).status().message(), HasSubstr("closed"));
}

TEST_F(WsClientTest, WhatIsNoWebSocketOrTooLargeIsAnError) {
  Start();
  EXPECT_THAT(WsClient::Connect(To("ws", "/plain")).status().message(), HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(WsClient::Connect(To("ws", "/none?secret")).status().message(), HasSubstr("404"));
  for (const char* url : {"", "http://127.0.0.1/", "ws://", "ws://:1/", "ws://h:0/", "ws://h:x/",
                          "ws://h:70000/", "ws://u@h/", "ws://h/a b", "ws://h/\r\nX: y"}) {
    WsClientOptions options;
    options.url = url;
    const Status status = WsClient::Connect(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << url << ": " << status;
  }
  WsClientOptions small = To("ws", "/echo");
  small.max_message_bytes = 10;
  auto client = WsClient::Connect(small);
  ASSERT_TRUE(client.ok()) << client.status();
  ASSERT_TRUE((*client)->Send("more than ten bytes").ok());
  std::string message;
  bool binary = false;
  EXPECT_THAT((*client)->Next(Soon(), &message, &binary).status().message(), HasSubstr("1009"));
}

TEST_F(WsClientTest, TlsKnowsItsServer) {
  const std::string folder = testing::TempDir() + "ws_client_tls";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  for (const char* name : {"server", "other"})
    ASSERT_EQ(
        std::system(Cat("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
                        "-days 2 -subj /CN=x -addext subjectAltName=IP:127.0.0.1 -keyout ",
                        folder, "/", name, ".key -out ", folder, "/", name, ".pem 2>/dev/null")
                        .c_str()),
        0);
  ServerOptions options;
  options.tls_cert_file = folder + "/server.pem";
  options.tls_key_file = folder + "/server.key";
  Start(options);
  WsClientOptions to = To("wss", "/echo");
  to.ca_file = folder + "/server.pem";
  auto client = WsClient::Connect(to);
  ASSERT_TRUE(client.ok()) << client.status();
  ASSERT_TRUE((*client)->Send("hello").ok());
  std::string message;
  bool binary = false;
  EXPECT_TRUE((*client)->Next(Soon(), &message, &binary).value_or(false));
  EXPECT_EQ(message, "hello");
  to.url = To("wss", "/robot").url;  // the session moves to the control loop
  client = WsClient::Connect(to);
  ASSERT_TRUE(client.ok()) << client.status();
  ASSERT_TRUE((*client)->Send("hello robot").ok());
  EXPECT_TRUE((*client)->Next(Soon(), &message, &binary).value_or(false));
  EXPECT_EQ(message, "hello robot");
  to.ca_file = folder + "/other.pem";
  EXPECT_THAT(WsClient::Connect(to).status().message(), HasSubstr("certificate"));
  to.ca_file = folder + "/missing.pem";
  EXPECT_THAT(WsClient::Connect(to).status().message(), HasSubstr("ca_file"));
  std::filesystem::remove_all(folder);
}

TEST(WebSocketReaderOfServers, AMaskedFrameOfAServerIsRefused) {
  std::string masked, plain;
  AppendClientFrame(Opcode::kText, "x", &masked);
  AppendFrame(Opcode::kText, "x", &plain);
  std::string_view bytes = masked;
  EXPECT_EQ(WebSocketReader(64, WebSocketReader::Peer::kServer).Next(&bytes),
            WebSocketReader::Result::kError);
  bytes = masked;
  WebSocketReader server(64);
  EXPECT_EQ(server.Next(&bytes), WebSocketReader::Result::kMessage);
  EXPECT_EQ(server.payload(), "x");
  bytes = plain;
  EXPECT_EQ(WebSocketReader(64).Next(&bytes), WebSocketReader::Result::kError);
}

}  // namespace
}  // namespace saferl::net
