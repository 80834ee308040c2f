#include "saferl/net/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <latch>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/net/compression.h"
#include "saferl/net/http_client.h"
#include "saferl/net/raw_socket.h"

namespace saferl::net {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Route MakeRoute(Method method, std::string pattern, Handler handler, Run run = Run::kInline) {
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

/// A server with the routes that most tests need.
class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
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

  void Start() {
    auto server = HttpServer::Start(options_, router_, observer_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::string Url(std::string_view path) { return Cat("http://127.0.0.1:", server_->port(), path); }
  /// Sends `bytes` on a new connection and reads until the server closes it.
  std::string Raw(std::string_view bytes) {
    RawSocket socket(server_->port());
    EXPECT_TRUE(socket.Send(bytes));
    socket.FinishSending();
    return socket.ReadToEnd();
  }

  ServerOptions options_;
  Gate gate_;  ///< outlives the server, whose handlers wait at it
  Router router_;
  std::function<void(const RequestRecord&)> observer_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, GetPostHeadOptionsAndErrors) {
  Start();
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
  Start();
  auto response = HttpClient().Send({.url = Url("/throws")});
  EXPECT_EQ(response->status, 500);
  EXPECT_THAT(response->body, Not(HasSubstr("secret")));
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  Start();
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
  Start();
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
  Start();
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
  Start();
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
  Start();
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
  Start();
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
  Start();
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
  Start();
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
  Start();
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
  Start();
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
  Start();
  const auto response = HttpClient().Send({.url = Url("/split?v=evil%0d%0aX:%20y")});
  EXPECT_EQ(response->headers.Find("Set-Cookie"), nullptr);
  EXPECT_EQ(response->headers.Find("X"), nullptr);
}

TEST_F(HttpServerTest, SlowLorisIsCutOffAndOthersAreServed) {
  options_.header_timeout_s = options_.body_timeout_s = options_.idle_timeout_s = 0.3;
  Start();
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

TEST_F(HttpServerTest, ADripThatNeverEndsIsCutOff) {
  options_.header_timeout_s = options_.body_timeout_s = 0.3;
  Start();
  // One byte whenever the last was taken: progress alone does not keep a connection.
  RawSocket socket(server_->port());
  ASSERT_TRUE(socket.Send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"));
  std::string answer;
  while (answer.empty() && socket.Send("x")) answer = socket.Read(0.01);
  EXPECT_EQ(RawSocket::StatusOf(answer), 408);
}

TEST_F(HttpServerTest, AHalfOpenClientStillGetsItsAnswer) {
  Start();
  RawSocket socket(server_->port());
  ASSERT_TRUE(socket.Send("POST /pool/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\ny"));
  socket.FinishSending();
  EXPECT_TRUE(socket.ReadToEnd().ends_with("xy"));
}

TEST_F(HttpServerTest, APeerThatNeverReadsIsDropped) {
  options_.write_timeout_s = 0.2;
  options_.min_bytes_per_s = 1e9;
  router_.Add(MakeRoute(Method::kGet, "/huge",
                        [](const Request&) { return Response::Text(std::string(32 << 20, 'a')); }));
  std::promise<void> told;
  observer_ = [&](const RequestRecord&) { told.set_value(); };
  Start();
  RawSocket socket(server_->port());
  ASSERT_TRUE(socket.Send("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n"));
  told.get_future().wait();
  EXPECT_EQ(server_->counters().timeouts, 1u);
  EXPECT_LT(socket.ReadToEnd().size(), size_t{32} << 20);
}

TEST_F(HttpServerTest, AFullPoolIs503WithRetryAfterAndInlineRoutesLive) {
  options_.pool_threads = 2;
  options_.pool_queue = 3;
  router_.Add(MakeRoute(
      Method::kGet, "/wait",
      [&](const Request&) {
        gate_.Pass();
        return Response::Text("waited");
      },
      Run::kPool));
  Start();
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

TEST_F(HttpServerTest, AHandlerThatTakesTooLongIs504) {
  options_.request_timeout_s = 0.2;
  router_.Add(MakeRoute(
      Method::kGet, "/wait",
      [&](const Request& request) {
        gate_.Pass();
        return Response::Text(request.path);
      },
      Run::kPool));
  Start();
  HttpClient client;
  EXPECT_EQ(client.Send({.url = Url("/wait")})->status, 504);
  EXPECT_EQ(client.Send({.url = Url("/hello")})->status, 200);
  gate_.Open();
}

TEST_F(HttpServerTest, ConnectionsAreBounded) {
  options_.max_connections = 5;
  Start();
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

TEST_F(HttpServerTest, NoDescriptorsLeftIsSurvivedWithoutSpinning) {
  Start();
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

TEST_F(HttpServerTest, DrainUnderLoadFailsNoRequest) {
  options_.io_threads = 2;
  Start();
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

TEST_F(HttpServerTest, DrainEndsWhenTheGraceIsOver) {
  options_.drain_s = 0.3;
  router_.Add(MakeRoute(
      Method::kGet, "/wait",
      [&](const Request&) {
        gate_.Pass();
        return Response::Text("late");
      },
      Run::kPool));
  Start();
  RawSocket socket(server_->port());
  ASSERT_TRUE(socket.Send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"));
  gate_.AwaitWaiting(1);
  EXPECT_FALSE(server_->Drain());
  EXPECT_EQ(socket.ReadToEnd(), "");
  gate_.Open();
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
  Start();
  options_.port = server_->port();
  const Status taken = HttpServer::Start(options_, router_).status();
  EXPECT_TRUE(absl::IsUnavailable(taken)) << taken;
}

TEST_F(HttpServerTest, Ipv6AndLocalhost) {
  options_.host = "::1";
  Start();
  EXPECT_EQ(HttpClient().Send({.url = Cat("http://[::1]:", server_->port(), "/hello")})->status,
            200);
}

}  // namespace
}  // namespace saferl::net
