#include "saferl/net/client_stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "saferl/base/text.h"

namespace saferl::net {
namespace {

using SslContext = std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)>;

std::string Reason(int error) { return std::generic_category().message(error); }

std::string TlsReason(SSL* ssl) {
  const long verify = ssl == nullptr ? X509_V_OK : SSL_get_verify_result(ssl);
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (verify != X509_V_OK) return Cat("certificate: ", X509_verify_cert_error_string(verify));
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "the peer closed the connection" : reason;
}

/// Waits for `events` on fd; OK as well when wake_fd is readable (told by *woken).
Status Wait(int fd, short events, const Deadline& deadline, int wake_fd, bool* woken) {
  while (true) {
    const int64_t left_ms = (deadline.Left(Nanos()) + 999'999) / 1'000'000;
    pollfd fds[2] = {{fd, events, 0}, {wake_fd, POLLIN, 0}};
    const int n =
        ::poll(fds, wake_fd < 0 ? 1 : 2, static_cast<int>(std::min<int64_t>(left_ms, INT_MAX)));
    if (n < 0 && errno != EINTR) return absl::UnavailableError(Cat("poll: ", Reason(errno)));
    if (n == 0) return absl::DeadlineExceededError("no answer in time");
    if (n > 0) {
      if (woken != nullptr) *woken = wake_fd >= 0 && fds[1].revents != 0;
      return absl::OkStatus();
    }
  }
}

class PlainStream : public ClientStream {
 public:
  explicit PlainStream(int fd) : fd_(fd) {}
  ~PlainStream() override { ::close(fd_); }
  PlainStream(const PlainStream&) = delete;
  PlainStream& operator=(const PlainStream&) = delete;

  Status Write(std::string_view bytes, const Deadline& deadline) override {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n >= 0) {
        bytes.remove_prefix(static_cast<size_t>(n));
      } else if (errno == EAGAIN) {
        SAFERL_RETURN_IF_ERROR(Wait(fd_, POLLOUT, deadline, -1, nullptr));
      } else if (errno != EINTR) {
        return absl::UnavailableError(Cat("cannot send: ", Reason(errno)));
      }
    }
    return absl::OkStatus();
  }

  Status Read(std::string* bytes, const Deadline& deadline, int wake_fd) override {
    const size_t before = bytes->size();
    while (true) {
      char buffer[64 << 10];
      const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
      if (n > 0) {
        bytes->append(buffer, static_cast<size_t>(n));
        if (static_cast<size_t>(n) < sizeof buffer) return absl::OkStatus();
      } else if (n == 0) {
        return absl::UnavailableError("the peer closed the connection");
      } else if (errno == EAGAIN) {
        if (bytes->size() > before) return absl::OkStatus();
        bool woken = false;
        SAFERL_RETURN_IF_ERROR(Wait(fd_, POLLIN, deadline, wake_fd, &woken));
        if (woken) return absl::OkStatus();
      } else if (errno != EINTR) {
        return absl::UnavailableError(Cat("cannot receive: ", Reason(errno)));
      }
    }
  }

  bool Quiet() const override {
    pollfd fds{fd_, POLLIN | POLLRDHUP, 0};
    return ::poll(&fds, 1, 0) == 0;
  }

 private:
  const int fd_;
};

/// TLS over a PlainStream, through memory: OpenSSL never sees the socket, so that its writes raise
/// no signal and every wait is ours.
class TlsStream final : public ClientStream {
 public:
  TlsStream(std::unique_ptr<PlainStream> plain, SSL_CTX* context)
      : plain_(std::move(plain)),
        ssl_(SSL_new(context), SSL_free),
        in_(BIO_new(BIO_s_mem())),
        out_(BIO_new(BIO_s_mem())) {
    SSL_set_bio(ssl_.get(), in_, out_);  // owns both
  }

  Status Handshake(const std::string& host, const Deadline& deadline) {
    in6_addr address;
    if (::inet_pton(AF_INET, host.c_str(), &address) == 1 ||
        ::inet_pton(AF_INET6, host.c_str(), &address) == 1) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str());
    } else {
      SSL_set1_host(ssl_.get(), host.c_str());
      SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
    }
    while (true) {
      ERR_clear_error();
      const int done = SSL_connect(ssl_.get());
      const bool wants_more = done != 1 && SSL_get_error(ssl_.get(), done) == SSL_ERROR_WANT_READ;
      const std::string reason = done == 1 || wants_more ? "" : TlsReason(ssl_.get());
      const Status sent = Flush(deadline);
      if (!reason.empty()) return absl::UnavailableError(Cat("TLS: ", reason));
      if (done == 1 || !sent.ok()) return sent;
      SAFERL_RETURN_IF_ERROR(Fill(deadline, -1));
    }
  }

  Status Write(std::string_view bytes, const Deadline& deadline) override {
    while (!bytes.empty()) {
      ERR_clear_error();
      const int n = SSL_write(ssl_.get(), bytes.data(),
                              static_cast<int>(std::min<size_t>(bytes.size(), 1 << 20)));
      if (n <= 0) return absl::UnavailableError(Cat("TLS: ", TlsReason(nullptr)));
      bytes.remove_prefix(static_cast<size_t>(n));
      if (const Status sent = Flush(deadline); !sent.ok()) {
        std::string said;  // a peer that closes on us says why, if anywhere, in what it sent
        const Status heard = Read(&said, Deadline::At(0), -1);
        return absl::StartsWith(heard.message(), "TLS") ? heard : sent;
      }
    }
    return absl::OkStatus();
  }

  Status Read(std::string* bytes, const Deadline& deadline, int wake_fd) override {
    const size_t before = bytes->size();
    while (true) {
      char buffer[16 << 10];
      ERR_clear_error();
      const int n = SSL_read(ssl_.get(), buffer, sizeof buffer);
      if (n > 0) {
        bytes->append(buffer, static_cast<size_t>(n));
        continue;
      }
      if (bytes->size() > before) return absl::OkStatus();
      if (SSL_get_error(ssl_.get(), n) != SSL_ERROR_WANT_READ) {
        return absl::UnavailableError(Cat("TLS: ", TlsReason(nullptr)));
      }
      SAFERL_RETURN_IF_ERROR(Flush(deadline));  // a key update's answer
      const size_t had = BIO_ctrl_pending(in_);
      SAFERL_RETURN_IF_ERROR(Fill(deadline, wake_fd));
      if (BIO_ctrl_pending(in_) == had) return absl::OkStatus();  // woken
    }
  }

  /// Session tickets may lie unread: they are no answer, but no harm either.
  bool Quiet() const override {
    if (SSL_has_pending(ssl_.get()) == 1) return false;
    return plain_->Quiet();
  }

 private:
  Status Flush(const Deadline& deadline) {
    std::string bytes(BIO_ctrl_pending(out_), '\0');
    if (bytes.empty()) return absl::OkStatus();
    BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
    return plain_->Write(bytes, deadline);
  }
  Status Fill(const Deadline& deadline, int wake_fd) {
    std::string bytes;
    SAFERL_RETURN_IF_ERROR(plain_->Read(&bytes, deadline, wake_fd));
    if (!bytes.empty()) BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
    return absl::OkStatus();
  }

  std::unique_ptr<PlainStream> plain_;
  std::unique_ptr<SSL, void (*)(SSL*)> ssl_;
  BIO* in_;
  BIO* out_;
};

class ConnectorImpl final : public Connector {
 public:
  ConnectorImpl(ClientStreamOptions options, SslContext context)
      : options_(std::move(options)), context_(std::move(context)) {}

  StatusOr<std::unique_ptr<ClientStream>> Connect(const Deadline& deadline) const override {
    StatusOr<std::unique_ptr<PlainStream>> plain = ConnectPlain(deadline);
    if (!plain.ok()) return Named(plain.status());
    if (context_ == nullptr) return *std::move(plain);
    auto tls = std::make_unique<TlsStream>(*std::move(plain), context_.get());
    if (const Status status = tls->Handshake(options_.host, deadline); !status.ok()) {
      return Named(status);
    }
    return tls;
  }

 private:
  Status Named(const Status& status) const {
    return Status(status.code(), Cat(options_.host, ":", options_.port, ": ", status.message()));
  }

  StatusOr<std::unique_ptr<PlainStream>> ConnectPlain(const Deadline& deadline) const {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int error =
        ::getaddrinfo(options_.host.c_str(), Cat(options_.port).c_str(), &hints, &found);
    if (error != 0) return absl::UnavailableError(Cat("unknown host: ", ::gai_strerror(error)));
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, ::freeaddrinfo);
    Status last = absl::UnavailableError("no address");
    for (const addrinfo* at = addresses.get(); at != nullptr; at = at->ai_next) {
      const int fd = ::socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (fd < 0) return absl::UnavailableError(Cat("no socket: ", Reason(errno)));
      auto stream = std::make_unique<PlainStream>(fd);
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      int failed = ::connect(fd, at->ai_addr, at->ai_addrlen) == 0 ? 0 : errno;
      if (failed == EINPROGRESS) {
        SAFERL_RETURN_IF_ERROR(Wait(fd, POLLOUT, deadline, -1, nullptr));
        socklen_t size = sizeof failed;
        ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size);
      }
      if (failed == 0) return stream;
      last = absl::UnavailableError(Cat("cannot connect: ", Reason(failed)));
    }
    return last;
  }

  const ClientStreamOptions options_;
  const SslContext context_;
};

Status BadFile(std::string_view field, const std::string& file) {
  return absl::InvalidArgumentError(
      Cat(field, ": ", file, ": ", TlsReason(nullptr), "; give a PEM file"));
}

}  // namespace

StatusOr<std::unique_ptr<Connector>> Connector::Create(ClientStreamOptions options) {
  SslContext context(nullptr, SSL_CTX_free);
  if (options.tls) {
    context.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX* ssl = context.get();
    if (ssl == nullptr) return absl::ResourceExhaustedError("TLS: no memory");
    SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
    ERR_clear_error();
    if (options.ca_file.empty()) {
      SSL_CTX_set_default_verify_paths(ssl);
    } else if (SSL_CTX_load_verify_file(ssl, options.ca_file.c_str()) != 1) {
      return BadFile("ca_file", options.ca_file);
    }
    if (!options.cert_file.empty() &&
        SSL_CTX_use_certificate_chain_file(ssl, options.cert_file.c_str()) != 1) {
      return BadFile("cert_file", options.cert_file);
    }
    if (!options.key_file.empty() &&
        SSL_CTX_use_PrivateKey_file(ssl, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
      return BadFile("key_file", options.key_file);
    }
  }
  return std::make_unique<ConnectorImpl>(std::move(options), std::move(context));
}

}  // namespace saferl::net
