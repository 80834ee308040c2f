#pragma once
// HttpClient: outgoing requests (S3, webhooks, traces). Bounded in time and size, no redirects, no
// proxy unless asked, TLS verified. One object per thread or guarded by its user; keeps
// connections. Errors: kInvalidArgument (URL), kUnavailable (connect, TLS, reset),
// kDeadlineExceeded, kResourceExhausted (the answer is larger than max_body_bytes),
// kFailedPrecondition (libcurl is not installed: it is loaded with the first request); any HTTP
// status is an answer. RT: no. http and https only.

#include <cstdint>
#include <memory>
#include <string>

#include "saferl/net/http.h"

namespace saferl::net {

struct ClientOptions {
  double connect_timeout_s = 2, timeout_s = 30;
  double silence_s = 0;  ///< no byte moves for this long, to whole seconds: over; 0: only timeout_s
  size_t max_body_bytes = 64 << 20;
  std::string ca_file, cert_file,
      key_file;       ///< PEM; empty: the system's CAs, no client certificate
  std::string proxy;  ///< "http://host:port"; empty: none, the environment's is not used
};

struct ClientRequest {
  Method method = Method::kGet;
  std::string url{};
  Headers headers{};  ///< Host, Content-Length and Expect are the client's own
  std::string body{};
  double timeout_s = 0;  ///< 0: the client's
};

struct ClientResponse {
  int status = 0;
  Headers headers;
  std::string body{};
};

class HttpClient {
 public:
  explicit HttpClient(ClientOptions options = {});
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  StatusOr<ClientResponse> Send(const ClientRequest& request);
  /// Is libcurl here? Loads it, as the first Send does; for who must know before there is a
  /// request. Error: kFailedPrecondition, naming the package.
  static Status Available();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace saferl::net
