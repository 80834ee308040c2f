#pragma once
// TLS 1.3 as a codec between the socket's bytes and HTTP's, without I/O. The server's side.
//
// RT: no. Errors: kInvalidArgument naming the file. Source: RFC 8446; OpenSSL 3.

#include <memory>
#include <string>
#include <string_view>

#include "saferl/base/status.h"

namespace saferl::net {

struct TlsFiles {
  std::string cert_file, key_file;  ///< PEM; the chain and its key
  std::string client_ca_file;       ///< when set, clients must show a certificate of this CA
};

/// Certificate, key and rules; shared by every session.
class TlsContext {
 public:
  static StatusOr<std::shared_ptr<const TlsContext>> Create(const TlsFiles& files);
  virtual ~TlsContext() = default;
};

/// One connection. Not thread-safe.
class TlsSession {
 public:
  static std::unique_ptr<TlsSession> Create(const TlsContext& context);
  virtual ~TlsSession() = default;
  /// Takes the peer's bytes; appends what they say to `plain` and what must be sent to `reply`.
  /// False: the session is over (closed by the peer, or failed; `reply` may hold an alert).
  virtual bool Receive(std::string_view bytes, std::string* plain, std::string* reply) = 0;
  virtual bool established() const = 0;
  /// Appends the records of `plain` to `out`; only when established.
  virtual void Send(std::string_view plain, std::string* out) = 0;
  /// Appends the closing alert.
  virtual void Close(std::string* out) = 0;
};

}  // namespace saferl::net
