#pragma once
// Ed25519 over short messages, by libsodium, with keys as PEM texts (PKCS #8 and
// SubjectPublicKeyInfo) as `openssl genpkey -algorithm ed25519` writes them.
//
// Errors: kInvalidArgument (no key of this kind; the key itself is never printed),
// kPermissionDenied (the signature is not the key's). RT: no. Source: RFC 8032, RFC 8410.

#include <string>
#include <string_view>

#include "saferl/base/status.h"

namespace saferl::registry::ed25519 {

inline constexpr size_t kSignatureBytes = 64, kKeyBytes = 32;

/// A new private key, as PEM.
StatusOr<std::string> MakeKey();
/// The public key of a private one, as PEM.
StatusOr<std::string> PublicOf(std::string_view private_pem);
/// 64 bytes.
StatusOr<std::string> Sign(std::string_view message, std::string_view private_pem);
Status Verify(std::string_view message, std::string_view signature, std::string_view public_pem);
/// The same key in this program's own spelling of PEM, whatever line breaks it came with.
StatusOr<std::string> Canonical(std::string_view public_pem);

}  // namespace saferl::registry::ed25519
