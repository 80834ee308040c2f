#include "saferl/net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <climits>

#include "saferl/base/text.h"

namespace saferl::net {
namespace {

std::string LastError() {
  char text[256] = "";
  const unsigned long code = ERR_get_error();  // NOLINT(google-runtime-int): OpenSSL's type
  ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

Status Bad(std::string_view option, const std::string& file) {
  return absl::InvalidArgumentError(
      Cat(option, ": ", file, ": ", LastError(), "; give a PEM file that fits"));
}

/// http/1.1 or nothing: this port speaks no other protocol under TLS.
int SelectAlpn(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
               unsigned in_length, void*) {
  static constexpr unsigned char kHttp[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_length, kHttp, sizeof kHttp, in, in_length) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

struct Context final : TlsContext {
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> ssl{SSL_CTX_new(TLS_server_method()), SSL_CTX_free};
};

class Session final : public TlsSession {
 public:
  explicit Session(SSL_CTX* context)
      : ssl_(SSL_new(context), SSL_free), in_(BIO_new(BIO_s_mem())), out_(BIO_new(BIO_s_mem())) {
    SSL_set_bio(ssl_.get(), in_, out_);  // owns both
    SSL_set_accept_state(ssl_.get());
  }

  bool Receive(std::string_view bytes, std::string* plain, std::string* reply) override {
    if (bytes.size() > INT_MAX) return false;
    BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
    ERR_clear_error();
    bool open = true;
    while (open) {
      char buffer[16 << 10];
      const int n = SSL_read(ssl_.get(), buffer, sizeof buffer);  // does the handshake as well
      if (n > 0) {
        plain->append(buffer, static_cast<size_t>(n));
        continue;
      }
      const int why = SSL_get_error(ssl_.get(), n);
      open = why == SSL_ERROR_WANT_READ;
      break;
    }
    TakeOutput(reply);
    ERR_clear_error();
    return open;
  }

  bool established() const override { return SSL_is_init_finished(ssl_.get()) == 1; }

  void Send(std::string_view plain, std::string* out) override {
    while (!plain.empty()) {
      const int n = SSL_write(ssl_.get(), plain.data(),
                              static_cast<int>(std::min<size_t>(plain.size(), 1 << 20)));
      if (n <= 0) break;  // a memory BIO takes everything; the session failed
      plain.remove_prefix(static_cast<size_t>(n));
    }
    TakeOutput(out);
  }

  void Close(std::string* out) override {
    if (established()) SSL_shutdown(ssl_.get());
    TakeOutput(out);
  }

 private:
  void TakeOutput(std::string* out) {
    char buffer[16 << 10];
    for (int n = 0; (n = BIO_read(out_, buffer, sizeof buffer)) > 0;) {
      out->append(buffer, static_cast<size_t>(n));
    }
  }

  std::unique_ptr<SSL, void (*)(SSL*)> ssl_;
  BIO* in_;
  BIO* out_;
};

}  // namespace

StatusOr<std::shared_ptr<const TlsContext>> TlsContext::Create(const TlsFiles& files) {
  auto context = std::make_shared<Context>();
  SSL_CTX* ssl = context->ssl.get();
  if (ssl == nullptr) return absl::InternalError(Cat("TLS: ", LastError()));
  SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION);
  SSL_CTX_set_num_tickets(ssl, 0);
  SSL_CTX_set_alpn_select_cb(ssl, SelectAlpn, nullptr);
  if (SSL_CTX_use_certificate_chain_file(ssl, files.cert_file.c_str()) != 1) {
    return Bad("tls_cert_file", files.cert_file);
  }
  if (SSL_CTX_use_PrivateKey_file(ssl, files.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(ssl) != 1) {
    return Bad("tls_key_file", files.key_file);
  }
  if (!files.client_ca_file.empty()) {
    if (SSL_CTX_load_verify_file(ssl, files.client_ca_file.c_str()) != 1) {
      return Bad("tls_client_ca_file", files.client_ca_file);
    }
    SSL_CTX_set_client_CA_list(ssl, SSL_load_client_CA_file(files.client_ca_file.c_str()));
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return context;
}

std::unique_ptr<TlsSession> TlsSession::Create(const TlsContext& context) {
  return std::make_unique<Session>(static_cast<const Context&>(context).ssl.get());
}

}  // namespace saferl::net
