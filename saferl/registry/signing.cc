#include "saferl/registry/signing.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "saferl/base/file.h"
#include "saferl/base/hash.h"
#include "saferl/base/text.h"
#include "saferl/registry/base64.h"
#include "saferl/registry/bundle.h"
#include "saferl/registry/ecdsa.h"
#include "saferl/registry/ed25519.h"

namespace saferl::registry {
namespace {

constexpr std::string_view kEd25519 = "ed25519", kOms = "oms";
constexpr size_t kMaxKeyBytes = size_t{16} << 10;

/// What an Ed25519 signature is over: a name of its own, so that no other use of the key can be
/// passed off as a signature of a model.
std::string Message(const std::string& digest) { return Cat("saferl model package v1\n", digest); }

Status CheckOms(const std::string& digest, const Signature& s, const TrustedKey& key) {
  SAFERL_ASSIGN_OR_RETURN(const Bundle bundle, ParseBundle(s.body));
  if (bundle.hint != key.key_id)
    return absl::PermissionDeniedError("bundle: its hint names another key");
  if (bundle.payload_type != kInTotoType)
    return absl::PermissionDeniedError(Cat("bundle: payloadType is not ", kInTotoType));
  SAFERL_RETURN_IF_ERROR(ecdsa::Verify(
      PreAuthenticationEncoding(bundle.payload_type, bundle.payload), bundle.signature, key.pem));
  return CheckStatement(bundle.payload, digest);  // after the signature: only then it says anything
}

}  // namespace

StatusOr<std::string> KeyId(std::string_view public_pem) {
  if (const auto pem = ed25519::Canonical(public_pem); pem.ok()) return Sha256Hex(*pem);
  SAFERL_ASSIGN_OR_RETURN(const std::string pem, ecdsa::Canonical(public_pem));
  return Sha256Hex(pem);
}

Status Keyring::Add(const std::string& owner, std::string_view pem) {
  SAFERL_RETURN_IF_ERROR(CheckName("key's owner", owner));
  const bool ed = ed25519::Canonical(pem).ok();
  if (!ed && !ecdsa::Canonical(pem).ok())
    return absl::InvalidArgumentError(
        Cat("key of ", owner, ": neither an Ed25519 nor a P-256 public key in PEM"));
  SAFERL_ASSIGN_OR_RETURN(const std::string id, KeyId(pem));
  keys_.push_back({owner, id, std::string(ed ? kEd25519 : kOms), std::string(pem)});
  return absl::OkStatus();
}

StatusOr<Keyring> Keyring::Load(const std::string& folder) {
  Keyring keyring;
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".pem") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& file : files) {
    SAFERL_ASSIGN_OR_RETURN(const std::string pem, ReadFile(file.string(), kMaxKeyBytes));
    if (const Status status = keyring.Add(file.stem().string(), pem); !status.ok())
      return Status(status.code(), Cat(file.string(), ": ", status.message()));
  }
  return keyring;
}

const TrustedKey* Keyring::Find(std::string_view key_id) const {
  const auto at = std::find_if(keys_.begin(), keys_.end(),
                               [&](const TrustedKey& key) { return key.key_id == key_id; });
  return at == keys_.end() ? nullptr : &*at;
}

StatusOr<TrustedKey> MakeKeyFiles(const std::string& file, bool oms) {
  SAFERL_ASSIGN_OR_RETURN(const std::string secret, oms ? ecdsa::MakeKey() : ed25519::MakeKey());
  SAFERL_ASSIGN_OR_RETURN(const std::string open,
                          oms ? ecdsa::PublicOf(secret) : ed25519::PublicOf(secret));
  if (FileExists(file + ".pem"))
    return absl::AlreadyExistsError(Cat(file, ".pem: is there; choose another name"));
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoStatus(errno, file, "cannot create a new file");
  const bool written =
      ::write(fd, secret.data(), secret.size()) == static_cast<ssize_t>(secret.size()) &&
      ::fsync(fd) == 0;
  const int error = errno;
  ::close(fd);
  if (!written) {
    ::unlink(file.c_str());
    return ErrnoStatus(error, file, "cannot write");
  }
  SAFERL_RETURN_IF_ERROR(WriteFileAtomic(file + ".pem", open));
  SAFERL_ASSIGN_OR_RETURN(const std::string id, KeyId(open));
  return TrustedKey{"", id, std::string(oms ? kOms : kEd25519), open};
}

StatusOr<Signature> SignDigest(const std::string& digest, const std::string& name,
                               std::string_view private_pem) {
  Signature s;
  if (StatusOr<std::string> open = ed25519::PublicOf(private_pem); open.ok()) {
    SAFERL_ASSIGN_OR_RETURN(s.key_id, KeyId(*open));
    SAFERL_ASSIGN_OR_RETURN(const std::string bytes, ed25519::Sign(Message(digest), private_pem));
    s.kind = kEd25519;
    s.body = Base64(bytes);
    return s;
  }
  const StatusOr<std::string> open = ecdsa::PublicOf(private_pem);
  if (!open.ok())
    return absl::InvalidArgumentError(
        "key: neither an Ed25519 nor a P-256 private key in PEM without a password; make one with "
        "`saferl registry key FILE`");
  SAFERL_ASSIGN_OR_RETURN(s.key_id, KeyId(*open));
  Bundle bundle{s.key_id, std::string(kInTotoType), WriteStatement(name, digest), ""};
  SAFERL_ASSIGN_OR_RETURN(
      bundle.signature,
      ecdsa::Sign(PreAuthenticationEncoding(bundle.payload_type, bundle.payload), private_pem));
  s.kind = kOms;
  s.body = WriteBundle(bundle);
  return s;
}

StatusOr<TrustedKey> VerifySignature(const std::string& digest, const Signature& s,
                                     const Keyring& keyring) {
  const TrustedKey* key = keyring.Find(s.key_id);
  if (key == nullptr)
    return absl::PermissionDeniedError(Cat("signature: key ", s.key_id.substr(0, 16),
                                           "... is not in the keyring; add its public key if it "
                                           "is to be trusted"));
  if (key->kind != s.kind)
    return absl::PermissionDeniedError(Cat("signature: of kind ", s.kind.substr(0, 20),
                                           ", the key ", "of ", key->owner, " makes ", key->kind));
  Status status;
  if (s.kind == kOms) {
    status = CheckOms(digest, s, *key);
  } else {
    const std::optional<std::string> bytes = FromBase64(s.body);
    status = bytes.has_value() ? ed25519::Verify(Message(digest), *bytes, key->pem)
                               : absl::InvalidArgumentError("signature: no base64");
  }
  if (!status.ok())
    return Status(status.code(), Cat("key of ", key->owner, ": ", status.message()));
  return *key;
}

Status RequireSignature(const std::string& digest, const std::vector<Signature>& signatures,
                        const Keyring& keyring) {
  std::string why;
  for (const Signature& s : signatures) {
    const StatusOr<TrustedKey> key = VerifySignature(digest, s, keyring);
    if (key.ok()) return absl::OkStatus();
    why += Cat("; ", key.status().message());
  }
  return absl::PermissionDeniedError(
      Cat("version sha256:", digest, " has no signature of a trusted key", why,
          signatures.empty() ? "; sign it: saferl registry sign" : ""));
}

StatusOr<Signature> ReadBundle(std::string_view json) {
  SAFERL_ASSIGN_OR_RETURN(const Bundle bundle, ParseBundle(json));
  return Signature{std::string(kOms), bundle.hint, "", std::string(json), 0};
}

}  // namespace saferl::registry
