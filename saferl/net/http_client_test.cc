#include "saferl/net/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "saferl/base/text.h"
#include "saferl/net/http_server.h"
#include "saferl/net/raw_socket.h"

namespace saferl::net {
namespace {

Route MakeRoute(Method method, std::string pattern, Handler handler) {
  Route route;
  route.method = method;
  route.operation_id = Cat(Name(method), pattern);
  route.pattern = std::move(pattern);
  route.handler = std::move(handler);
  return route;
}

class HttpClientTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const Method method :
         {Method::kGet, Method::kPost, Method::kPut, Method::kPatch, Method::kDelete}) {
      router_.Add(MakeRoute(method, "/show", [](const Request& request) {
        const std::string* type = request.headers.Find("Content-Type");
        const std::string* extra = request.headers.Find("X-Extra");
        return Response::Text(Cat(Name(request.method), "|", type == nullptr ? "-" : *type, "|",
                                  extra == nullptr ? "-" : *extra, "|", request.body));
      }));
    }
    router_.Add(MakeRoute(Method::kGet, "/moved", [](const Request&) {
      Response response = Response::Text("", 302);
      response.headers.Add("Location", "/show");
      return response;
    }));
    router_.Add(MakeRoute(Method::kGet, "/large", [](const Request&) {
      return Response::Text(std::string(1 << 20, 'a'));
    }));
    auto server = HttpServer::Start({}, router_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::string Url(std::string_view path) { return Cat("http://127.0.0.1:", server_->port(), path); }

  Router router_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpClientTest, MethodsBodiesAndHeaders) {
  HttpClient client;
  for (const Method method : {Method::kPost, Method::kPut, Method::kPatch, Method::kDelete}) {
    ClientRequest request{.method = method, .url = Url("/show"), .body = std::string("b\0y", 3)};
    request.headers.Add("Content-Type", "text/x");
    request.headers.Add("X-Extra", "");
    const auto response = client.Send(request);
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->body, Cat(Name(method), "|text/x||", std::string_view("b\0y", 3)));
  }
  EXPECT_EQ(client.Send({.url = Url("/show")})->body, "GET|-|-|");
  EXPECT_EQ(client.Send({.method = Method::kPost, .url = Url("/show")})->body, "POST|-|-|");
  EXPECT_EQ(client.Send({.method = Method::kDelete, .url = Url("/show")})->body, "DELETE|-|-|");
  EXPECT_EQ(server_->counters().accepted, 1u) << "the connection is kept";
}

TEST_F(HttpClientTest, RedirectsAreAnswersAndLimitsHold) {
  EXPECT_EQ(HttpClient().Send({.url = Url("/moved")})->status, 302);
  ClientOptions options;
  options.max_body_bytes = (1 << 20) - 1;
  EXPECT_TRUE(absl::IsResourceExhausted(HttpClient(options).Send({.url = Url("/large")}).status()));
  options.max_body_bytes = 1 << 20;
  EXPECT_EQ(HttpClient(options).Send({.url = Url("/large")})->body.size(), size_t{1} << 20);
}

TEST_F(HttpClientTest, TheEnvironmentsProxyIsNotUsed) {
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  EXPECT_TRUE(HttpClient().Send({.url = Url("/show")}).ok());
  unsetenv("http_proxy");
  ClientOptions options;
  options.proxy = "http://127.0.0.1:1";
  EXPECT_TRUE(absl::IsUnavailable(HttpClient(options).Send({.url = Url("/show")}).status()))
      << "one that was asked for is";
}

TEST_F(HttpClientTest, BadRequestsAreRefused) {
  HttpClient client;
  for (const char* url :
       {"", "file:///etc/hostname", "ftp://127.0.0.1/", "http://", "gopher://x/"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(client.Send({.url = url}).status())) << url;
  }
  ClientRequest split{.url = Url("/show")};
  split.headers.Add("X", "a\r\nY: b");
  EXPECT_TRUE(absl::IsInvalidArgument(client.Send(split).status()));
}

TEST_F(HttpClientTest, NobodyThereAndNobodyAnswering) {
  const std::string url = Url("/show");
  const int port = server_->port();
  server_.reset();
  EXPECT_TRUE(absl::IsUnavailable(HttpClient().Send({.url = url}).status()));
  // A listener that accepts (in its backlog) and never answers.
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  socklen_t size = sizeof address;
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  ClientRequest request{.url = Cat("http://127.0.0.1:", ntohs(address.sin_port), "/")};
  request.timeout_s = 0.2;
  EXPECT_TRUE(absl::IsDeadlineExceeded(HttpClient().Send(request).status()));
  close(listener);
  EXPECT_NE(port, 0);
}

}  // namespace
}  // namespace saferl::net
