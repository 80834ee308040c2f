#pragma once
// Signatures of model packages, of two kinds, and who is trusted to make them.
//
//   "ed25519"  64 bytes over "saferl model package v1\n" + the digest's 64 hex digits
//   "oms"      an OpenSSF Model Signing 1.0 bundle: Sigstore bundle v0.3 with a DSSE envelope
//   around
//              an in-toto statement, signed with a P-256 key; `model_signing verify key` reads it
// A keyring is the files NAME.pem of a folder, public keys of either kind; NAME is the owner. What
// is trusted is so decided by whoever may write that folder, not by rows of a database.
//
// Verify refuses: another digest, an unknown key, another payload or predicate type, a hint of
// another key, more than one subject or signature, resources that do not add up to the subject.
// Errors: kInvalidArgument (malformed), kPermissionDenied (refused), each with the reason. RT: no.
// Source: github.com/ossf/model-signing-spec v1.0; DSSE v1.0.0; in-toto Statement v1.

#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/registry/records.h"

namespace saferl::registry {

struct TrustedKey {
  std::string owner, key_id, kind, pem;
};

class Keyring {
 public:
  /// An absent folder is an empty keyring.
  static StatusOr<Keyring> Load(const std::string& folder);
  Status Add(const std::string& owner, std::string_view pem);
  /// nullptr: unknown.
  const TrustedKey* Find(std::string_view key_id) const;
  const std::vector<TrustedKey>& keys() const { return keys_; }

 private:
  std::vector<TrustedKey> keys_;
};

/// SHA-256 of the public key's PEM text, in hex: also the hint of a bundle.
StatusOr<std::string> KeyId(std::string_view public_pem);

/// Makes a key: the private half in `file` (mode 0600), the public one in `file`.pem. An existing
/// file is never replaced (kAlreadyExists). The owner is left empty.
StatusOr<TrustedKey> MakeKeyFiles(const std::string& file, bool oms);

/// Signs with a private key of either kind: the key decides which. `name` is the bundle's subject.
StatusOr<Signature> SignDigest(const std::string& digest, const std::string& name,
                               std::string_view private_pem);
/// The trusted key that made it; `digest` is the package's, recomputed by the caller.
StatusOr<TrustedKey> VerifySignature(const std::string& digest, const Signature& signature,
                                     const Keyring& keyring);
/// True when at least one signature of a trusted key holds; the reasons otherwise.
Status RequireSignature(const std::string& digest, const std::vector<Signature>& signatures,
                        const Keyring& keyring);

/// A bundle that others made, as a Signature (not verified).
StatusOr<Signature> ReadBundle(std::string_view json);

}  // namespace saferl::registry
