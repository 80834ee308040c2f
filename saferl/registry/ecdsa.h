#pragma once
// ECDSA on P-256 with SHA-256, by OpenSSL, with keys as PEM texts: what OpenSSF Model Signing's
// key method uses. Signatures are DER.
//
// Errors: kInvalidArgument (no key of this kind; the key itself is never printed),
// kPermissionDenied (the signature is not the key's). RT: no. Source: FIPS 186-4, SEC 1.

#include <string>
#include <string_view>

#include "saferl/base/status.h"

namespace saferl::registry::ecdsa {

StatusOr<std::string> MakeKey();
StatusOr<std::string> PublicOf(std::string_view private_pem);
StatusOr<std::string> Sign(std::string_view message, std::string_view private_pem);
Status Verify(std::string_view message, std::string_view signature, std::string_view public_pem);
/// The same key in OpenSSL's own spelling of PEM, whatever line breaks it came with.
StatusOr<std::string> Canonical(std::string_view public_pem);

}  // namespace saferl::registry::ecdsa
