// The bytes of one connection: what comes in, what goes out, in the clear or through TLS; and its
// end.
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "saferl/base/text.h"
#include "saferl/net/connection_client.h"

namespace saferl::net {
namespace {

constexpr size_t kLingerStep = 1 << 20;
constexpr int kUnsentBytes = 128 << 10;
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

}  // namespace

Client::Client(ServerCore* server, asio::io_context* loop, Set* set, int fd)
    : server_(*server),
      loop_(*loop),
      set_(*set),
      socket_(*loop),
      wake_(*loop),
      reader_(server->options.max_header_bytes) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  error_code ignored;
  socket_.assign(address.ss_family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), fd,
                 ignored);
  socket_.non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  // What the peer's window has no room for waits here, not by the megabyte in the kernel.
  setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytes, sizeof kUnsentBytes);
  const auto end = socket_.remote_endpoint(ignored);
  peer_ = end.address().is_v6() ? Cat("[", end.address().to_string(), "]:", end.port())
                                : Cat(end.address().to_string(), ":", end.port());
  idle_since_ns_ = Nanos();
  set_.insert(this);
}

Client::~Client() {
  set_.erase(this);
  server_.on_closed();
}

/// More bytes into the buffer. False: end, error or past the deadline (then expired_).
Task<bool> Client::Fill() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (in_.empty()) in_.resize(kBufferBytes);
  if (end_ == in_.size()) {
    if (begin_ > 0) {
      std::copy(in_.begin() + static_cast<ptrdiff_t>(begin_), in_.end(), in_.begin());
      end_ -= begin_;
      begin_ = 0;
    } else {
      in_.resize(in_.size() * 2);
    }
  }
  expired_ = false;
  auto [error, n] =
      co_await socket_.async_read_some(asio::buffer(in_.data() + end_, in_.size() - end_), kResult);
  if (error) co_return false;
  if (tls_ == nullptr) {
    end_ += n;
    co_return true;
  }
  plain_.clear();
  cipher_.clear();
  const bool open = tls_->Receive({in_.data() + end_, n}, &plain_, &cipher_);
  if (stream_ != nullptr) {
    records_ += cipher_;  // another task is sending: they go first in its next batch
  } else if (!cipher_.empty()) {
    const bool sent = co_await SendRaw(cipher_);
    if (!sent) co_return false;
  }
  if (in_.size() - end_ < plain_.size()) in_.resize(end_ + plain_.size());
  std::copy(plain_.begin(), plain_.end(), in_.begin() + static_cast<ptrdiff_t>(end_));
  end_ += plain_.size();
  co_return open || !plain_.empty();  // what came before a close still counts
}

Task<bool> Client::Send(std::string_view bytes) {
  sent_bytes_ += bytes.size();
  if (tls_ == nullptr) co_return co_await SendRaw(bytes);
  std::string records;
  records.swap(records_);
  tls_->Send(bytes, &records);
  co_return co_await SendRaw(records);
}

/// Takes off `bytes` what the socket takes at once. False: the peer is gone.
bool Client::WriteNow(std::string_view* bytes) {
  error_code error;
  const size_t n = socket_.write_some(asio::buffer(bytes->data(), bytes->size()), error);
  if (error && error != asio::error::would_block) return false;
  bytes->remove_prefix(error ? 0 : n);
  return true;
}

Task<bool> Client::SendRaw(std::string_view bytes) {
  if (!WriteNow(&bytes)) co_return false;
  if (bytes.empty()) co_return true;
  const ServerOptions& options = server_.options;
  write_deadline_ns_ =
      After(options.write_timeout_s + static_cast<double>(bytes.size()) / options.min_bytes_per_s);
  while (!bytes.empty()) {
    auto [failed, more] =
        co_await socket_.async_write_some(asio::buffer(bytes.data(), bytes.size()), kResult);
    if (failed) break;
    bytes.remove_prefix(more);
  }
  write_deadline_ns_ = kNever;
  co_return bytes.empty();
}

/// Says that nothing more comes and takes what the peer still sends, so that the kernel does not
/// answer it with a reset that would destroy our last answer on its way.
Task<void> Client::Linger() {
  if (aborted_) co_return;
  if (tls_ != nullptr) {
    std::string alert;
    tls_->Close(&alert);
    if (!alert.empty()) co_await SendRaw(alert);
  }
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  idle_since_ns_ = Nanos();  // a drain does not wait longer for it than for one between requests
  const int64_t end_ns = After(server_.options.linger_s);
  for (uint64_t left = server_.options.max_linger_bytes; left > 0;) {
    read_deadline_ns_ = std::min(end_ns, After(kLinger_s));
    auto [error] = co_await socket_.async_wait(Socket::wait_read, kResult);
    if (error) break;
    // The kernel forgets them without a copy (tcp(7), MSG_TRUNC).
    const ssize_t n = recv(socket_.native_handle(), nullptr, kLingerStep, MSG_TRUNC | MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) break;
    if (n > 0) left -= std::min(left, static_cast<uint64_t>(n));
  }
  read_deadline_ns_ = kNever;
}

Task<bool> Client::IsHttp2() {
  read_deadline_ns_ = After(server_.options.header_timeout_s);
  while (true) {
    auto [error] = co_await socket_.async_wait(Socket::wait_read, kResult);
    if (error) co_return false;
    char bytes[kHttp2Preface.size()];
    const ssize_t n = recv(socket_.native_handle(), bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    if (n <= 0 || !kHttp2Preface.starts_with({bytes, static_cast<size_t>(n)})) co_return false;
    if (static_cast<size_t>(n) == kHttp2Preface.size()) co_return true;
    wake_.expires_after(std::chrono::milliseconds(2));  // a preface in pieces: look again
    co_await wake_.async_wait(kResult);
    if (expired_ || aborted_) co_return false;
  }
}

Task<bool> Client::Handshake() {
  tls_ = TlsSession::Create(*server_.tls);
  read_deadline_ns_ = After(server_.options.header_timeout_s);
  bool open = true;
  while (open && !tls_->established()) open = co_await Fill();
  co_return open;
}

}  // namespace saferl::net
