// The stream's own promises; TLS against a real server is in storage/cache_redis_test.cc.
#include "saferl/net/client_stream.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "saferl/base/text.h"

namespace saferl::net {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;

/// A listening socket that accepts when told to.
class Listener {
 public:
  Listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* at = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(fd_, at, size), 0);
    EXPECT_EQ(::listen(fd_, 1), 0);
    EXPECT_EQ(::getsockname(fd_, at, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~Listener() { Close(); }
  int port() const { return port_; }
  int Accept() const { return ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC); }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_, port_ = 0;
};

StatusOr<std::unique_ptr<ClientStream>> Connect(int port, bool tls = false) {
  const auto connector = *Connector::Create({.host = "127.0.0.1", .port = port, .tls = tls});
  return connector->Connect(Deadline::After(kNanosPerSecond / 5));
}

TEST(ClientStreamTest, WhatIsSentArrivesAndTheOtherWayRound) {
  Listener listener;
  const auto stream = *Connect(listener.port());
  const int peer = listener.Accept();
  const std::string large(3 << 20, 'x');
  std::string heard;
  std::thread reader([&] {
    char buffer[4096];
    while (heard.size() < large.size()) {
      const ssize_t n = ::read(peer, buffer, sizeof buffer);
      if (n <= 0) break;
      heard.append(buffer, static_cast<size_t>(n));
    }
  });
  EXPECT_TRUE(stream->Write(large, Deadline::After(10 * kNanosPerSecond)).ok());
  reader.join();
  EXPECT_TRUE(heard == large);
  EXPECT_TRUE(stream->Quiet());
  ASSERT_EQ(::write(peer, "back", 4), 4);
  std::string back;
  EXPECT_TRUE(stream->Read(&back, Deadline::After(10 * kNanosPerSecond)).ok());
  EXPECT_EQ(back, "back");
  ::close(peer);
  EXPECT_EQ(stream->Read(&back, Deadline::After(10 * kNanosPerSecond)).code(),
            StatusCode::kUnavailable);
  EXPECT_FALSE(stream->Quiet());
}

TEST(ClientStreamTest, EveryWaitEnds) {
  Listener listener;
  const auto stream = *Connect(listener.port());
  const int peer = listener.Accept();
  std::string bytes;
  EXPECT_EQ(stream->Read(&bytes, Deadline::After(kNanosPerSecond / 20)).code(),
            StatusCode::kDeadlineExceeded);
  EXPECT_EQ(stream->Write(std::string(64 << 20, 'x'), Deadline::After(kNanosPerSecond / 20)).code(),
            StatusCode::kDeadlineExceeded);
  ::close(peer);
  // A peer that never says a word of TLS.
  EXPECT_EQ(Connect(listener.port(), /*tls=*/true).status().code(), StatusCode::kDeadlineExceeded);
}

TEST(ClientStreamTest, AWakeEndsAReadWithNothing) {
  Listener listener;
  const auto stream = *Connect(listener.port());
  const int wake = ::eventfd(1, EFD_CLOEXEC);
  std::string bytes;
  EXPECT_TRUE(stream->Read(&bytes, Deadline::After(10 * kNanosPerSecond), wake).ok());
  EXPECT_EQ(bytes, "");
  ::close(wake);
}

TEST(ClientStreamTest, ErrorsNameThePlaceOrTheField) {
  Listener listener;
  listener.Close();
  EXPECT_THAT(Connect(listener.port()).status().ToString(),
              ::testing::AllOf(HasSubstr("UNAVAILABLE"), HasSubstr(Cat(":", listener.port()))));
  const auto nowhere = *Connector::Create({.host = "no-such-host.invalid", .port = 1});
  EXPECT_EQ(nowhere->Connect(Deadline::After(kNanosPerSecond)).status().code(),
            StatusCode::kUnavailable);
  const auto refused = [](const char* field, ClientStreamOptions options) {
    options.tls = true;
    EXPECT_THAT(Connector::Create(options).status().ToString(),
                ::testing::AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr(field)));
  };
  refused("ca_file", {.ca_file = "/missing"});
  refused("cert_file", {.cert_file = "/missing"});
  refused("key_file", {.key_file = "/missing"});
}

}  // namespace
}  // namespace saferl::net
