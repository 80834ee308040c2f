#pragma once
// RawSocket: a blocking TCP client for tests and benches, which can send what no well-behaved
// client would. Every read is bounded by a time limit. RT: no.

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace saferl::net {

class RawSocket {
 public:
  explicit RawSocket(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    const int one = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawSocket() { Close(); }
  RawSocket(RawSocket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        connected_(other.connected_),
        held_(std::move(other.held_)) {}
  RawSocket(const RawSocket&) = delete;

  bool connected() const { return connected_; }
  int fd() const { return fd_; }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }
  void FinishSending() { shutdown(fd_, SHUT_WR); }

  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

  /// What comes next: what ReadResponse left, else up to 64 KiB from the peer; empty at the end of
  /// the stream, on error or after `seconds`.
  std::string Read(double seconds = 10) {
    return held_.empty() ? Receive(seconds) : std::exchange(held_, "");
  }
  bool timed_out() const { return timed_out_; }

  /// Until the peer closes.
  std::string ReadToEnd(double seconds = 10) {
    std::string all = std::exchange(held_, "");
    for (std::string more = Receive(seconds); !more.empty(); more = Receive(seconds)) all += more;
    return all;
  }

  /// One response with a Content-Length (or none and no body); "" when there is none.
  std::string ReadResponse(bool head_only = false) {
    size_t need = std::string::npos;
    while (true) {
      if (const size_t end = held_.find("\r\n\r\n"); end != std::string::npos) {
        need = end + 4;
        const size_t at = held_.find("Content-Length: ");
        if (!head_only && at < end) need += std::strtoull(held_.c_str() + at + 16, nullptr, 10);
        if (held_.size() >= need) break;
      }
      const std::string more = Receive();
      if (more.empty()) return "";
      held_ += more;
    }
    std::string response = held_.substr(0, need);
    held_.erase(0, need);
    return response;
  }

  /// "200" of "HTTP/1.1 200 OK".
  static int StatusOf(std::string_view response) {
    return response.size() < 12 ? 0 : std::atoi(std::string(response.substr(9, 3)).c_str());
  }

 private:
  std::string Receive(double seconds = 10) {
    pollfd waits{fd_, POLLIN, 0};
    if (poll(&waits, 1, static_cast<int>(seconds * 1000)) != 1) {
      timed_out_ = true;
      return "";
    }
    std::string bytes(64 << 10, '\0');
    const ssize_t n = recv(fd_, bytes.data(), bytes.size(), 0);
    bytes.resize(n > 0 ? static_cast<size_t>(n) : 0);
    return bytes;
  }

  int fd_;
  bool connected_ = false, timed_out_ = false;
  std::string held_;
};

}  // namespace saferl::net
