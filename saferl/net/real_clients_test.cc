// Clients that share no code with ours: Python's http.client and urllib, the websockets package
// (tools/test_http_clients.py) and the curl program, over TCP and TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "saferl/base/file.h"
#include "saferl/base/testing/shell.h"
#include "saferl/base/text.h"
#include "saferl/net/http_client.h"
#include "saferl/net/http_server.h"
#include "saferl/net/raw_socket.h"

namespace saferl::net {
namespace {

ShellResult RunCommand(const std::string& command) { return Shell(command + " 2>&1"); }

class RealClientsTest : public testing::Test {
 protected:
  RealClientsTest() {
    Route echo;
    echo.method = Method::kPost;
    echo.pattern = "/echo";
    echo.operation_id = "echo";
    echo.handler = [](const Request& request) { return Response::Text(request.body); };
    router_.Add(std::move(echo));
    Route events;
    events.pattern = "/events";
    events.operation_id = "events";
    events.events = [](const std::shared_ptr<Stream>& stream, const Request&) {
      stream->Send("a", "1");
      stream->Send("b", "2");
      stream->Close();
    };
    router_.Add(std::move(events));
    Route socket;
    socket.pattern = "/socket";
    socket.operation_id = "socket";
    socket.max_body_bytes = 100'000;
    socket.websocket = [](const std::shared_ptr<Stream>& stream, const Request&) {
      stream->on_message = [weak = std::weak_ptr(stream)](std::string_view text, bool binary) {
        const auto self = weak.lock();
        if (binary) {
          self->SendBinary(text);
        } else {
          self->Send("", text);
        }
      };
    };
    router_.Add(std::move(socket));
    AddDocs(&router_, "Test", "1");
  }
  void Start() {
    auto server = HttpServer::Start(options_, router_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::string Curl(std::string_view arguments, std::string_view path, std::string_view scheme) {
    const ShellResult ran = RunCommand(Cat("curl -q -sS --noproxy '*' --max-time 20 ", arguments,
                                           " ", scheme, "://127.0.0.1:", server_->port(), path));
    return Cat(ran.code, "|", ran.output);
  }

  ServerOptions options_;
  Router router_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(RealClientsTest, Python) {
  Start();
  const std::string root = SAFERL_SOURCE_DIR;
  const ShellResult environment = RunCommand("'" + root + "/tools/python_env' websockets==13.1");
  ASSERT_EQ(environment.code, 0) << environment.output;
  const std::string python = environment.output.substr(0, environment.output.find('\n'));
  const ShellResult ran =
      RunCommand(Cat("'", python, "' '", root, "/tools/test_http_clients.py' ", server_->port()));
  EXPECT_EQ(ran.code, 0) << ran.output;
  EXPECT_THAT(ran.output, testing::StartsWith("ok 4")) << "forty and more checks";
}

TEST_F(RealClientsTest, Curl) {
  Start();
  EXPECT_EQ(Curl("-d hello", "/echo", "http"), "0|hello");
  EXPECT_EQ(Curl("-d hello -H 'Transfer-Encoding: chunked'", "/echo", "http"), "0|hello");
  EXPECT_EQ(Curl("-d hello -H 'Expect: 100-continue'", "/echo", "http"), "0|hello");
  EXPECT_EQ(Curl("-N", "/events", "http"), "0|event: a\ndata: 1\n\nevent: b\ndata: 2\n\n");
  EXPECT_EQ(Curl("-o /dev/null -w '%{http_code} %{num_connects},' -d x", "/echo", "http"),
            "0|200 1,");
  EXPECT_EQ(Curl("--compressed -o /dev/null -w '%{content_type}'", "/docs", "http"),
            "0|text/html; charset=utf-8");
  EXPECT_EQ(Curl("-o /dev/null -w '%{http_code}' --path-as-is", "/a/../echo", "http"), "0|400");
}

/// TLS 1.3 with certificates that openssl makes for the test.
class TlsTest : public RealClientsTest {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / Cat("saferl_tls_", getpid());
    std::filesystem::create_directories(directory_);
    const std::string d = "'" + directory_.string() + "'";
    const ShellResult made = RunCommand(
        Cat("cd ", d, " && N='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes' && ",
            "openssl req -x509 $N -keyout ca.key -out ca.pem -subj /CN=ca -days 2 && ",
            "for n in server client; do openssl req $N -keyout $n.key -out $n.csr -subj /CN=$n && ",
            "echo subjectAltName=IP:127.0.0.1 > ext && openssl x509 -req -in $n.csr -CA ca.pem ",
            "-CAkey ca.key -CAcreateserial -out $n.pem -days 2 -extfile ext; done"));
    ASSERT_EQ(made.code, 0) << made.output;
    options_.tls_cert_file = File("server.pem");
    options_.tls_key_file = File("server.key");
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }
  std::string File(std::string_view name) const { return (directory_ / name).string(); }

  std::filesystem::path directory_;
};

TEST_F(TlsTest, OnlyTls13AndOnlyHttp11) {
  Start();
  const std::string ca = "--cacert '" + File("ca.pem") + "'";
  EXPECT_EQ(Curl(ca + " -d hello", "/echo", "https"), "0|hello");
  EXPECT_EQ(Curl(ca + " -N", "/events", "https"), "0|event: a\ndata: 1\n\nevent: b\ndata: 2\n\n");
  EXPECT_EQ(Curl(ca + " -o /dev/null -w '%{http_version}' -d x", "/echo", "https"), "0|1.1");
  EXPECT_THAT(Curl(ca + " --tls-max 1.2 -d x", "/echo", "https"), testing::StartsWith("35|"));
  EXPECT_THAT(Curl("-d x", "/echo", "https"), testing::StartsWith("60|")) << "an unknown CA";
  ClientOptions trusting, doubting;
  trusting.connect_timeout_s = doubting.connect_timeout_s = 20;  // the handshake is part of it
  trusting.ca_file = File("ca.pem");
  HttpClient client(trusting);
  const std::string url = Cat("https://127.0.0.1:", server_->port(), "/echo");
  const std::string large(1'000'000, 'x');
  const auto answer = client.Send({.method = Method::kPost, .url = url, .body = large});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->body, large);
  EXPECT_TRUE(absl::IsUnavailable(HttpClient(doubting).Send({.url = url}).status()))
      << "not verified";
  // Plain HTTP on the TLS port is refused without an answer that could be mistaken for one.
  RawSocket plain(server_->port());
  ASSERT_TRUE(plain.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_THAT(plain.ReadToEnd(), testing::Not(testing::HasSubstr("HTTP/1.1")));
}

TEST_F(TlsTest, ClientsShowACertificateWhenACaIsSet) {
  options_.tls_client_ca_file = File("ca.pem");
  Start();
  ClientOptions options;
  options.connect_timeout_s = 20;
  options.ca_file = File("ca.pem");
  ClientRequest request{.method = Method::kPost,
                        .url = Cat("https://127.0.0.1:", server_->port(), "/echo"),
                        .body = "hello"};
  // In TLS 1.3 a client without certificate learns of it at its first read.
  EXPECT_TRUE(absl::IsUnavailable(HttpClient(options).Send(request).status()));
  options.cert_file = File("client.pem");
  options.key_file = File("client.key");
  const auto answer = HttpClient(options).Send(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->body, "hello");
}

}  // namespace
}  // namespace saferl::net
