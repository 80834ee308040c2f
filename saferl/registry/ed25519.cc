// The only user of libsodium.
#include "saferl/registry/ed25519.h"

#include <sodium.h>

#include <array>

#include "saferl/base/text.h"
#include "saferl/registry/base64.h"

namespace saferl::registry::ed25519 {
namespace {

// What stands before the 32 bytes of a key: its type, 1.3.101.112 (RFC 8410).
constexpr std::string_view kPrivateHead(
    "\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20", 16);
constexpr std::string_view kPublicHead("\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", 12);
constexpr std::string_view kPrivate = "PRIVATE KEY", kPublic = "PUBLIC KEY";

Status Ready() {
  if (sodium_init() >= 0) return absl::OkStatus();
  return absl::InternalError("libsodium does not start");
}

std::string ToPem(std::string_view label, std::string_view der) {
  return Cat("-----BEGIN ", label, "-----\n", Base64(der), "\n-----END ", label, "-----\n");
}

/// The 32 bytes of a key of that label.
StatusOr<std::string> FromPem(std::string_view pem, std::string_view label, std::string_view head) {
  const std::string begin = Cat("-----BEGIN ", label, "-----"),
                    end = Cat("-----END ", label, "-----");
  const size_t from = pem.find(begin), to = pem.find(end);
  const auto bad = [&] {
    return absl::InvalidArgumentError(Cat("key: no Ed25519 ", label,
                                          " in PEM; make one with `saferl registry key FILE` or "
                                          "openssl genpkey -algorithm ed25519"));
  };
  if (from == std::string_view::npos || to == std::string_view::npos || to < from) return bad();
  std::string text;
  for (const char c : pem.substr(from + begin.size(), to - from - begin.size())) {
    if (c != '\n' && c != '\r') text.push_back(c);
  }
  std::optional<std::string> der = FromBase64(text);
  if (!der.has_value() || der->size() != head.size() + kKeyBytes || !der->starts_with(head))
    return bad();
  return der->substr(head.size());
}

struct Pair {
  std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> open{};
  std::array<unsigned char, crypto_sign_SECRETKEYBYTES> secret{};
  ~Pair() { sodium_memzero(secret.data(), secret.size()); }
};

Status FromSeed(std::string_view private_pem, Pair* pair) {
  SAFERL_RETURN_IF_ERROR(Ready());
  SAFERL_ASSIGN_OR_RETURN(std::string seed, FromPem(private_pem, kPrivate, kPrivateHead));
  crypto_sign_seed_keypair(pair->open.data(), pair->secret.data(),
                           reinterpret_cast<const unsigned char*>(seed.data()));
  sodium_memzero(seed.data(), seed.size());
  return absl::OkStatus();
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

StatusOr<std::string> MakeKey() {
  SAFERL_RETURN_IF_ERROR(Ready());
  std::string seed(kKeyBytes, '\0');
  randombytes_buf(seed.data(), seed.size());
  std::string pem = ToPem(kPrivate, std::string(kPrivateHead) + seed);
  sodium_memzero(seed.data(), seed.size());
  return pem;
}

StatusOr<std::string> PublicOf(std::string_view private_pem) {
  Pair pair;
  SAFERL_RETURN_IF_ERROR(FromSeed(private_pem, &pair));
  return ToPem(kPublic,
               std::string(kPublicHead) +
                   std::string(reinterpret_cast<const char*>(pair.open.data()), pair.open.size()));
}

StatusOr<std::string> Sign(std::string_view message, std::string_view private_pem) {
  Pair pair;
  SAFERL_RETURN_IF_ERROR(FromSeed(private_pem, &pair));
  std::string signature(kSignatureBytes, '\0');
  crypto_sign_detached(reinterpret_cast<unsigned char*>(signature.data()), nullptr, Bytes(message),
                       message.size(), pair.secret.data());
  return signature;
}

Status Verify(std::string_view message, std::string_view signature, std::string_view public_pem) {
  SAFERL_RETURN_IF_ERROR(Ready());
  SAFERL_ASSIGN_OR_RETURN(const std::string key, FromPem(public_pem, kPublic, kPublicHead));
  if (signature.size() == kSignatureBytes &&
      crypto_sign_verify_detached(Bytes(signature), Bytes(message), message.size(), Bytes(key)) ==
          0)
    return absl::OkStatus();
  return absl::PermissionDeniedError("signature: not made by this key over these bytes");
}

StatusOr<std::string> Canonical(std::string_view public_pem) {
  SAFERL_ASSIGN_OR_RETURN(const std::string key, FromPem(public_pem, kPublic, kPublicHead));
  return ToPem(kPublic, std::string(kPublicHead) + key);
}

}  // namespace saferl::registry::ed25519
