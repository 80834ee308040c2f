#pragma once
// A byte stream to a server over TCP, plain or TLS 1.3 (server's name verified, client certificate
// when given), every wait bounded. For protocols other than HTTP: Redis.
//
// Not thread-safe. Errors: kInvalidArgument (a PEM file, at Create), kUnavailable (refused, reset,
// closed, TLS failed: the text says which), kDeadlineExceeded. The name is looked up by the
// system's resolver, whose own time-out bounds it. RT: no. Source: RFC 8446; OpenSSL 3.

#include <memory>
#include <string>
#include <string_view>

#include "saferl/base/clock.h"
#include "saferl/base/status.h"

namespace saferl::net {

class ClientStream {
 public:
  virtual ~ClientStream() = default;
  virtual Status Write(std::string_view bytes, const Deadline& deadline) = 0;
  /// Appends all that has come, at least one byte; or nothing and OK when `wake_fd` is readable.
  virtual Status Read(std::string* bytes, const Deadline& deadline, int wake_fd = -1) = 0;
  /// Neither closed by the peer nor with anything unread: fit for the next question.
  virtual bool Quiet() const = 0;
};

struct ClientStreamOptions {
  std::string host = {};
  int port = 0;
  bool tls = false;
  std::string ca_file = {}, cert_file = {}, key_file = {};  ///< PEM; empty: the system's CAs
};

/// Reads the files once; Connect may be called from any thread.
class Connector {
 public:
  static StatusOr<std::unique_ptr<Connector>> Create(ClientStreamOptions options);
  virtual ~Connector() = default;
  virtual StatusOr<std::unique_ptr<ClientStream>> Connect(const Deadline& deadline) const = 0;
};

}  // namespace saferl::net
