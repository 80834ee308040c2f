// Requests and what is answered to them.
#include "saferl/net/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mutex>
#include <thread>
#include <vector>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/net/compression.h"
#include "saferl/net/http_client.h"
#include "saferl/net/testing/test_server.h"

namespace saferl::net {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class HttpServerTest : public testing::Test, protected TestServer {};

TEST_F(HttpServerTest, GetPostHeadOptionsAndErrors) {
  ASSERT_TRUE(Start().ok());
  HttpClient client;
  auto hello = client.Send({.url = Url("/hello")});
  ASSERT_TRUE(hello.ok()) << hello.status();
  EXPECT_EQ(hello->status, 200);
  EXPECT_EQ(hello->body, R"({"hello":"world"})");
  ASSERT_NE(hello->headers.Find("content-type"), nullptr);
  EXPECT_EQ(*hello->headers.Find("content-type"), "application/json");
  EXPECT_NE(hello->headers.Find("Date"), nullptr);
  EXPECT_EQ(client.Send({.method = Method::kPost, .url = Url("/echo"), .body = "abc"})->body,
            "abc");
  EXPECT_EQ(client.Send({.method = Method::kPost, .url = Url("/pool/x-1"), .body = "y"})->body,
            "x-1y");
  auto head = client.Send({.method = Method::kHead, .url = Url("/hello")});
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(head->body, "");
  EXPECT_EQ(*head->headers.Find("Content-Length"), "17");
  auto options = client.Send({.method = Method::kOptions, .url = Url("/hello")});
  EXPECT_EQ(options->status, 204);
  EXPECT_EQ(*options->headers.Find("Allow"), "GET, HEAD, OPTIONS");
  auto wrong = client.Send({.method = Method::kDelete, .url = Url("/hello")});
  EXPECT_EQ(wrong->status, 405);
  EXPECT_EQ(*wrong->headers.Find("Allow"), "GET, HEAD, OPTIONS");
  auto missing = client.Send({.url = Url("/nothing")});
  EXPECT_EQ(missing->status, 404);
  EXPECT_EQ(*missing->headers.Find("Content-Type"), "application/problem+json");
  EXPECT_EQ(server_->counters().accepted, 1u) << "one connection served them all";
}

TEST_F(HttpServerTest, AHandlerThatThrowsIsA500WithoutItsWords) {
  ASSERT_TRUE(Start().ok());
  auto response = HttpClient().Send({.url = Url("/throws")});
  EXPECT_EQ(response->status, 500);
  EXPECT_THAT(response->body, Not(HasSubstr("secret")));
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  ASSERT_TRUE(Start().ok());
  std::string bytes;
  for (int i = 0; i < 100; ++i) {
    const std::string body = Cat("n", i, ";");
    bytes += Cat("POST ", i % 2 == 0 ? "/echo" : "/pool/p",
                 " HTTP/1.1\r\nHost: a\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
  }
  RawSocket socket(server_->port());
  ASSERT_TRUE(socket.Send(bytes));
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(socket.ReadResponse().ends_with(Cat(i % 2 == 0 ? "" : "p", "n", i, ";"))) << i;
  }
}

TEST_F(HttpServerTest, ARequestInTwoPiecesIsAnsweredLikeAWholeOne) {
  ASSERT_TRUE(Start().ok());
  const std::string packed = Compress(Coding::kGzip, std::string(300, 'x'));
  const std::string fields = "Host: x\r\nX-Request-Id: t\r\n";
  const std::string requests[] = {
      Cat("GET /hello HTTP/1.1\r\n", fields, "\r\n"),
      Cat("HEAD /hello HTTP/1.1\r\n", fields, "\r\n"),
      Cat("GET /hello HTTP/1.0\r\n", fields, "Connection: keep-alive\r\n\r\n"),
      Cat("GET /hello HTTP/1.1\r\n", fields, "Connection: close\r\n\r\n"),
      Cat("POST /echo HTTP/1.1\r\n", fields, "Content-Length: 5\r\n\r\nabcde"),
      Cat("POST /echo HTTP/1.1\r\n", fields, "Content-Length: 0\r\n\r\n"),
      Cat("POST /echo HTTP/1.1\r\n", fields,
          "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
      Cat("POST /echo HTTP/1.1\r\n", fields,
          "Content-Encoding: gzip\r\nContent-Length: ", packed.size(), "\r\n\r\n", packed),
      Cat("POST /echo HTTP/1.1\r\n", fields,
          "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
      Cat("POST /pool/a HTTP/1.1\r\n", fields, "Content-Length: 1\r\n\r\nb"),
      Cat("POST /hello HTTP/1.1\r\n", fields, "Content-Length: 1\r\n\r\nb"),
      Cat("GET /none HTTP/1.1\r\n", fields, "\r\n"),
      Cat("GET /../x HTTP/1.1\r\n", fields, "\r\n"),
      Cat("GET /throws HTTP/1.1\r\n", fields, "\r\n"),
  };
  const std::string first = Cat("GET /hello HTTP/1.1\r\n", fields, "\r\n");
  const auto undated = [](std::string answer) {
    const size_t at = answer.find("Date: ");
    return at == std::string::npos ? answer : answer.erase(at, 37);
  };
  for (const std::string& request : requests) {
    const bool head = request.starts_with("HEAD");
    RawSocket whole(server_->port());
    ASSERT_TRUE(whole.Send(request + first));
    const std::string expected = undated(whole.ReadResponse(head));
    ASSERT_THAT(expected, StartsWith("HTTP/1.1 ")) << request;
    const bool closes = expected.find("Connection: close") != std::string::npos;
    EXPECT_EQ(whole.ReadResponse().empty(), closes) << "and what follows is read from its start";
    for (size_t cut = 1; cut < request.size(); ++cut) {
      RawSocket pieces(server_->port());
      // The server has read the first piece when it answers the request before it.
      ASSERT_TRUE(pieces.Send(first + request.substr(0, cut)));
      ASSERT_THAT(pieces.ReadResponse(), StartsWith("HTTP/1.1 200"));
      ASSERT_TRUE(pieces.Send(request.substr(cut)));
      ASSERT_EQ(undated(pieces.ReadResponse(head)), expected) << request << " cut at " << cut;
    }
  }
}

TEST_F(HttpServerTest, AFramingErrorIsA400AndTheRestIsNeverRouted) {
  ASSERT_TRUE(Start().ok());
  const std::string hidden = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const char* bad :
       {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET /hello HTTP/1.1\nHost: a\n\n", "GET /hello HTTP/1.1\r\nHost : a\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"}) {
    const std::string answer = Raw(bad + hidden);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << bad;
    EXPECT_THAT(answer, HasSubstr("Connection: close"));
    EXPECT_THAT(answer, Not(HasSubstr("world"))) << bad;
  }
  EXPECT_EQ(server_->counters().malformed, 5u);
}

TEST_F(HttpServerTest, TargetsThatLieAre400) {
  ASSERT_TRUE(Start().ok());
  for (const char* target :
       {"/../hello", "/%2e%2e/hello", "/a%00", "/a%2fb", "/%ff", "/a//b", "x"}) {
    EXPECT_THAT(Raw(Cat("GET ", target, " HTTP/1.1\r\nHost: a\r\n\r\n")),
                StartsWith("HTTP/1.1 400 "))
        << target;
  }
}

TEST_F(HttpServerTest, BodyLimitsHoldBeforeBuffering) {
  Route small = MakeRoute(Method::kPost, "/small", [](const Request& request) {
    return Response::Text(std::to_string(request.body.size()));
  });
  small.max_body_bytes = 100;
  router_.Add(small);
  router_.SetErrorShape("/small", [](const Request&, int status, std::string_view) {
    return Response::Json(R"({"own":"shape"})", status);
  });
  ASSERT_TRUE(Start().ok());
  HttpClient client;
  const auto post = [&](size_t bytes) {
    return client.Send(
        {.method = Method::kPost, .url = Url("/small"), .body = std::string(bytes, 'x')});
  };
  EXPECT_EQ(post(99)->body, "99");
  EXPECT_EQ(post(100)->body, "100");
  EXPECT_EQ(post(101)->status, 413);
  EXPECT_EQ(post(101)->body, R"({"own":"shape"})");
  EXPECT_EQ(post(3 << 20)->status, 413) << "answered although the client is still sending";
  // Nothing of the body is needed for the answer: the head alone brings it.
  RawSocket socket(server_->port());
  ASSERT_TRUE(socket.Send("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n"));
  EXPECT_EQ(RawSocket::StatusOf(socket.ReadResponse()), 413);
  const std::string chunks =
      Cat("POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "64\r\n",
          std::string(100, 'x'), "\r\n");
  EXPECT_THAT(Raw(chunks + "0\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Raw(chunks + "1\r\nx\r\n0\r\n\r\n"), StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, HeaderLimitAndUnknownMethodsAndVersions) {
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(
      Raw(Cat("GET /hello HTTP/1.1\r\nHost: a\r\nX: ", std::string(17'000, 'x'), "\r\n\r\n")),
      StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(Raw("TRACE /hello HTTP/1.1\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(Raw("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Raw("GET /hello HTTP/3.0\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 505 "));
  EXPECT_THAT(Raw("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 204 "));
  EXPECT_THAT(Raw("GET /hello HTTP/1.0\r\n\r\n"), HasSubstr("Connection: close"));
  EXPECT_THAT(Raw("GET /hello HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n"),
              StartsWith("HTTP/1.1 417 "));
}

TEST_F(HttpServerTest, ExpectContinueIsAnsweredBeforeTheBody) {
  ASSERT_TRUE(Start().ok());
  RawSocket socket(server_->port());
  ASSERT_TRUE(socket.Send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(socket.ReadResponse(), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(socket.Send("abc"));
  EXPECT_TRUE(socket.ReadResponse().ends_with("abc"));
  // An error needs no body: it comes instead of 100.
  ASSERT_TRUE(socket.Send(
      "POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(RawSocket::StatusOf(socket.ReadResponse()), 404);
  EXPECT_EQ(socket.ReadToEnd(), "");
}

TEST_F(HttpServerTest, AnErrorWithASmallBodyKeepsTheConnection) {
  ASSERT_TRUE(Start().ok());
  HttpClient client;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client.Send({.method = Method::kPost, .url = Url("/none"), .body = "abc"})->status,
              404);
  }
  EXPECT_EQ(server_->counters().accepted, 1u);
}

TEST_F(HttpServerTest, CompressionBothWays) {
  router_.Add(MakeRoute(Method::kGet, "/large",
                        [](const Request&) { return Response::Text(std::string(5000, 'a')); }));
  ASSERT_TRUE(Start().ok());
  HttpClient client;
  for (const Coding coding : {Coding::kGzip, Coding::kDeflate}) {
    ClientRequest request{
        .method = Method::kPost, .url = Url("/echo"), .body = Compress(coding, "hello")};
    request.headers.Set("Content-Encoding", std::string(Name(coding)));
    EXPECT_EQ(client.Send(request)->body, "hello");
    request.body = Compress(coding, std::string(2 << 20, 'x'));
    EXPECT_EQ(client.Send(request)->status, 413) << "above the route's limit once unpacked";
    request.body.pop_back();
    request.body.resize(20);
    EXPECT_EQ(client.Send(request)->status, 400);
    ClientRequest large{.url = Url("/large")};
    large.headers.Set("Accept-Encoding", std::string(Name(coding)));
    const auto packed = client.Send(large);
    EXPECT_EQ(*packed->headers.Find("Content-Encoding"), Name(coding));
    EXPECT_LT(packed->body.size(), 200u);
    EXPECT_EQ(*Decompress(coding, packed->body, 10'000), std::string(5000, 'a'));
  }
  ClientRequest brotli{.method = Method::kPost, .url = Url("/echo"), .body = "x"};
  brotli.headers.Set("Content-Encoding", "br");
  EXPECT_EQ(client.Send(brotli)->status, 415);
  EXPECT_EQ(client.Send({.url = Url("/large")})->body.size(), 5000u) << "not asked for";
}

TEST_F(HttpServerTest, IdsAndTimingAndObserver) {
  options_.server_timing = true;
  std::mutex mutex;
  std::condition_variable told;
  std::vector<std::string> records;
  observer_ = [&](const RequestRecord& record) {
    const std::lock_guard lock(mutex);
    records.push_back(Cat(record.route == nullptr ? "-" : record.route->pattern, " ", record.status,
                          " ", record.request->request_id, " ",
                          record.sent_bytes > 0 && record.duration_ns > 0));
    told.notify_all();
  };
  ASSERT_TRUE(Start().ok());
  HttpClient client;
  ClientRequest request{.url = Url("/hello")};
  request.headers.Set("X-Request-Id", "abc-1");
  request.headers.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  const auto response = client.Send(request);
  EXPECT_EQ(*response->headers.Find("X-Request-Id"), "abc-1");
  EXPECT_THAT(*response->headers.Find("traceresponse"),
              StartsWith("00-0af7651916cd43dd8448eb211c80319c-"));
  EXPECT_THAT(*response->headers.Find("Server-Timing"), StartsWith("app;dur="));
  request.url = Url("/none");
  client.Send(request).value();
  EXPECT_THAT(Raw("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  std::unique_lock lock(mutex);
  told.wait(lock, [&] { return records.size() == 3; });
  EXPECT_EQ(records[0], "/hello 200 abc-1 true");
  EXPECT_EQ(records[1], "- 404 abc-1 true");
  EXPECT_THAT(records[2], StartsWith("- 400 "));
}

TEST_F(HttpServerTest, AHeaderOfAHandlerCannotSplitTheResponse) {
  Route split = MakeRoute(Method::kGet, "/split", [](const Request& request) {
    Response response = Response::Text("x");
    response.headers.Add("Location", "a\r\nSet-Cookie: " + *request.Query("v"));
    return response;
  });
  split.query = {{.name = "v", .type = "string", .doc = "what is sent back"}};
  router_.Add(std::move(split));
  ASSERT_TRUE(Start().ok());
  const auto response = HttpClient().Send({.url = Url("/split?v=evil%0d%0aX:%20y")});
  EXPECT_EQ(response->headers.Find("Set-Cookie"), nullptr);
  EXPECT_EQ(response->headers.Find("X"), nullptr);
}

TEST_F(HttpServerTest, BadOptionsAreSaid) {
  options_.host = "not-an-address";
  EXPECT_TRUE(absl::IsInvalidArgument(HttpServer::Start(options_, router_).status()));
  options_.host = "127.0.0.1";
  options_.tls_cert_file = options_.tls_key_file = "/no/such.pem";
  const Status status = HttpServer::Start(options_, router_).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("/no/such.pem"));
  options_.tls_cert_file = options_.tls_key_file = "";
  ASSERT_TRUE(Start().ok());
  options_.port = server_->port();
  const Status taken = HttpServer::Start(options_, router_).status();
  EXPECT_TRUE(absl::IsUnavailable(taken)) << taken;
}

TEST_F(HttpServerTest, Ipv6AndLocalhost) {
  options_.host = "::1";
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(HttpClient().Send({.url = Cat("http://[::1]:", server_->port(), "/hello")})->status,
            200);
}

}  // namespace
}  // namespace saferl::net
