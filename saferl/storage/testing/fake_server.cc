#include "saferl/storage/testing/fake_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace saferl::storage::testing {
namespace {

/// True when there is something to read (or the end of it); false when the server ends.
bool Readable(int fd, const std::atomic<bool>& stop) {
  while (!stop) {
    pollfd fds{fd, POLLIN, 0};
    if (::poll(&fds, 1, 20) > 0) return true;
  }
  return false;
}

}  // namespace

std::string FakeServer::Peer::Receive() const {
  char buffer[64 << 10];
  if (!Readable(fd_, *stop_)) return {};
  const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
  return n > 0 ? std::string(buffer, static_cast<size_t>(n)) : std::string();
}

bool FakeServer::Peer::Send(std::string_view bytes) const {
  while (!bytes.empty() && !*stop_) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return !*stop_;
}

void FakeServer::Peer::Hang() const {
  while (!Receive().empty()) {
  }
}

FakeServer::FakeServer(std::function<void(const Peer& peer)> serve) : serve_(std::move(serve)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* at = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_, at, size) != 0 || ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, at, &size) != 0) {
    std::perror("fake server");
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

FakeServer::~FakeServer() {
  stop_ = true;
  thread_.join();
  ::close(listener_);
}

void FakeServer::Run() {
  while (Readable(listener_, stop_)) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    ++connections_;
    serve_(Peer(fd, &stop_));
    ::close(fd);
  }
}

}  // namespace saferl::storage::testing
