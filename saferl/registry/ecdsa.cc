// The only user of OpenSSL in this room.
#include "saferl/registry/ecdsa.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>

#include "saferl/base/text.h"

namespace saferl::registry::ecdsa {
namespace {

template <auto Free>
struct Delete {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Delete<EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, Delete<BIO_free_all>>;
using Context = std::unique_ptr<EVP_MD_CTX, Delete<EVP_MD_CTX_free>>;

Status BadKey(const char* kind) {
  ERR_clear_error();  // OpenSSL's text may name what was in the file
  return absl::InvalidArgumentError(
      Cat("key: no P-256 ", kind,
          " key in PEM without a password; make one with `saferl registry "
          "key FILE --kind oms` or openssl ecparam -name prime256v1 -genkey -noout"));
}

bool IsP256(EVP_PKEY* key) {
  char group[64];
  size_t length = 0;
  return key != nullptr && EVP_PKEY_is_a(key, "EC") == 1 &&
         EVP_PKEY_get_group_name(key, group, sizeof group, &length) == 1 &&
         std::string_view(group, length) == "prime256v1";
}

/// A password is never asked for: a program without a terminal would stand still.
int NoPassword(char*, int, int, void*) { return -1; }

StatusOr<Key> Private(std::string_view pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, nullptr));
  if (!IsP256(key.get())) return BadKey("private");
  return key;
}

StatusOr<Key> Public(std::string_view pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Key key(PEM_read_bio_PUBKEY(bio.get(), nullptr, NoPassword, nullptr));
  if (!IsP256(key.get())) return BadKey("public");
  return key;
}

std::string Text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

StatusOr<std::string> PublicPem(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PUBKEY(bio.get(), key) != 1) return BadKey("public");
  return Text(bio.get());
}

}  // namespace

StatusOr<std::string> MakeKey() {
  const Key key(EVP_EC_gen("P-256"));
  const Bio bio(BIO_new(BIO_s_mem()));
  if (key == nullptr || PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0,
                                                      nullptr, nullptr) != 1)
    return absl::InternalError("OpenSSL makes no P-256 key");
  return Text(bio.get());
}

StatusOr<std::string> PublicOf(std::string_view private_pem) {
  SAFERL_ASSIGN_OR_RETURN(const Key key, Private(private_pem));
  return PublicPem(key.get());
}

StatusOr<std::string> Canonical(std::string_view public_pem) {
  SAFERL_ASSIGN_OR_RETURN(const Key key, Public(public_pem));
  return PublicPem(key.get());
}

StatusOr<std::string> Sign(std::string_view message, std::string_view private_pem) {
  SAFERL_ASSIGN_OR_RETURN(const Key key, Private(private_pem));
  const Context context(EVP_MD_CTX_new());
  const auto* data = reinterpret_cast<const unsigned char*>(message.data());
  size_t size = 0;
  if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, data, message.size()) != 1)
    return absl::InternalError("OpenSSL does not sign");
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, data,
                     message.size()) != 1)
    return absl::InternalError("OpenSSL does not sign");
  signature.resize(size);
  return signature;
}

Status Verify(std::string_view message, std::string_view signature, std::string_view public_pem) {
  SAFERL_ASSIGN_OR_RETURN(const Key key, Public(public_pem));
  const Context context(EVP_MD_CTX_new());
  const bool good =
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) == 1 &&
      EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                       signature.size(), reinterpret_cast<const unsigned char*>(message.data()),
                       message.size()) == 1;
  ERR_clear_error();
  if (good) return absl::OkStatus();
  return absl::PermissionDeniedError("signature: not made by this key over these bytes");
}

}  // namespace saferl::registry::ecdsa
