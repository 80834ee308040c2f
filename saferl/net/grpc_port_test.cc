#include "saferl/net/grpc_port.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/method_handler.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "saferl/base/text.h"
#include "saferl/net/http_client.h"
#include "saferl/net/http_server.h"
#include "saferl/net/raw_socket.h"

namespace saferl::net {
namespace {

/// saferl.test.Echo: answers with the bytes it got. No generated code needed.
class EchoService final : public grpc::Service {
 public:
  EchoService() {
    AddMethod(new grpc::internal::RpcServiceMethod(
        "/saferl.test.Echo/Echo", grpc::internal::RpcMethod::NORMAL_RPC,
        new grpc::internal::RpcMethodHandler<EchoService, grpc::ByteBuffer, grpc::ByteBuffer,
                                             grpc::ByteBuffer, grpc::ByteBuffer>(
            [](EchoService*, grpc::ServerContext*, const grpc::ByteBuffer* in,
               grpc::ByteBuffer* out) {
              *out = *in;
              return grpc::Status::OK;
            },
            this)));
  }
};

std::string Text(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  (void)buffer.Dump(&slices);
  std::string text;
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return text;
}

struct Answer {
  grpc::Status status;
  std::string bytes;
};

Answer Call(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
            const std::string& bytes) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  grpc::CompletionQueue queue;
  const grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  Answer answer;
  auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
  call->StartCall();
  call->Finish(&response, &answer.status, &queue);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  answer.bytes = Text(response);
  return answer;
}

class GrpcPortTest : public testing::Test {
 protected:
  void SetUp() override {
    Route route;
    route.pattern = "/hello";
    route.operation_id = "hello";
    route.handler = [](const Request&) { return Response::Text("http"); };
    router_.Add(std::move(route));
    auto grpc = GrpcPort::Start({&echo_}, {});
    ASSERT_TRUE(grpc.ok()) << grpc.status();
    grpc_ = *std::move(grpc);
    auto server = HttpServer::Start({}, router_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    server_->SetHttp2([this](int fd) { grpc_->Take(fd); });
  }
  std::shared_ptr<grpc::Channel> Channel() {
    grpc::ChannelArguments own;  // no connection shared with another test's channel
    own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(Cat("127.0.0.1:", server_->port()),
                                     grpc::InsecureChannelCredentials(), own);
  }

  EchoService echo_;
  Router router_;
  std::unique_ptr<GrpcPort> grpc_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(GrpcPortTest, OnePortSpeaksHttpAndGrpc) {
  const auto channel = Channel();
  HttpClient http;
  for (int i = 0; i < 50; ++i) {
    const std::string bytes(static_cast<size_t>(i * 1000), static_cast<char>('a' + i % 26));
    const Answer answer = Call(channel, "/saferl.test.Echo/Echo", bytes);
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
    ASSERT_EQ(answer.bytes, bytes);
    auto hello = http.Send({.url = Cat("http://127.0.0.1:", server_->port(), "/hello")});
    ASSERT_TRUE(hello.ok()) << hello.status();
    ASSERT_EQ(hello->body, "http");
  }
  EXPECT_EQ(server_->counters().http2, 1u) << "one connection for all calls";
}

TEST_F(GrpcPortTest, HealthAndUnknownMethods) {
  const auto channel = Channel();
  const Answer health = Call(channel, "/grpc.health.v1.Health/Check", "");
  ASSERT_TRUE(health.status.ok()) << health.status.error_message();
  EXPECT_EQ(health.bytes, std::string("\x08\x01", 2)) << "HealthCheckResponse{SERVING}";
  grpc_->SetServing("", false);
  EXPECT_EQ(Call(channel, "/grpc.health.v1.Health/Check", "").bytes, std::string("\x08\x02", 2));
  EXPECT_EQ(Call(channel, "/no.such/Method", "").status.error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(GrpcPortTest, ManyClientsAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> answered{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      const auto channel = Channel();
      for (int i = 0; i < 25; ++i) {
        if (Call(channel, "/saferl.test.Echo/Echo", "x").bytes == "x") ++answered;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, 100);
  EXPECT_EQ(server_->counters().http2, 4u);
}

TEST_F(GrpcPortTest, APrefaceInPiecesIsStillRecognised) {
  RawSocket socket(server_->port());
  for (const char c : std::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")) {
    ASSERT_TRUE(socket.Send({&c, 1}));
  }
  ASSERT_TRUE(socket.Send(std::string_view("\0\0\0\4\0\0\0\0\0", 9)));  // an empty SETTINGS frame
  const std::string reply = socket.Read();
  ASSERT_GE(reply.size(), 9u);
  EXPECT_EQ(reply[3], 4) << "the server's SETTINGS frame";
}

TEST_F(GrpcPortTest, WhatOnlyLooksLikeAPrefaceIsHttp) {
  RawSocket socket(server_->port());
  ASSERT_TRUE(socket.Send("PRI"));
  ASSERT_TRUE(socket.Send("NT / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(RawSocket::StatusOf(socket.ReadResponse()), 404);
}

TEST_F(GrpcPortTest, DrainRefusesNewSockets) {
  const auto channel = Channel();
  ASSERT_TRUE(Call(channel, "/saferl.test.Echo/Echo", "x").status.ok());
  grpc_->Drain(1);
  RawSocket socket(server_->port());
  ASSERT_TRUE(socket.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  EXPECT_EQ(socket.ReadToEnd(), "");
  EXPECT_FALSE(socket.timed_out());
}

}  // namespace
}  // namespace saferl::net
