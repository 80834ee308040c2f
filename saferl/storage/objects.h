#pragma once
// Objects: immutable bytes under the name of their own SHA-256, in a directory or an S3 bucket.
//
// Put of what is there already transfers nothing. An object that was acknowledged survives kill -9
// and power cut. Get checks the digest: wrong bytes are an error (kDataLoss), never returned; a Put
// of the same bytes repairs a damaged directory object.
// Errors: kInvalidArgument (no digest, too large), kNotFound, kUnavailable (store away: bounded
// waiting, recovers by itself), kResourceExhausted (disk or quota full: nothing left behind),
// kDataLoss, kPermissionDenied (rights, S3 keys). Safe from any thread. RT: no.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "saferl/base/status.h"

namespace saferl::storage {

class Objects {
 public:
  virtual ~Objects() = default;
  /// Returns the digest: 64 lower-case hex digits.
  virtual StatusOr<std::string> Put(std::string_view bytes) = 0;
  virtual StatusOr<std::string> Get(std::string_view sha256) = 0;
  virtual StatusOr<bool> Has(std::string_view sha256) = 0;
  virtual Status Delete(std::string_view sha256) = 0;  ///< of what is not there: OK
  /// Every digest, in order.
  virtual Status List(const std::function<void(std::string_view sha256, uint64_t size)>& each) = 0;
  virtual Status Check() = 0;  ///< reachable and writable now; what is wrong otherwise
  virtual std::string_view kind() const = 0;  ///< "directory" or "s3"
};

struct ObjectsOptions {
  std::string url = {};       ///< "dir:PATH" (created when missing) or "s3://bucket/prefix"
  std::string endpoint = {};  ///< S3: "https://host:port"; empty: AWS's own for the region
  std::string region = "us-east-1";
  std::string access_key_id = {}, secret_access_key = {};  ///< S3; never printed
  std::string session_token = {};                          ///< S3: of temporary keys
  std::string ca_file = {};                                ///< S3: PEM; empty: the system's CAs
  uint64_t part_bytes = 8 << 20;   ///< S3: multipart above this; S3 itself wants >= 5 MiB
  uint64_t max_bytes = 256 << 20;  ///< of one object
  double timeout_s = 30;           ///< S3: one request
  double silence_s = 10;           ///< S3: no byte of it moves for this long: it has failed
  double patience_s = 10;          ///< S3: no attempt of a request begins later
};
StatusOr<std::unique_ptr<Objects>> OpenObjects(const ObjectsOptions& options);

/// 64 lower-case hex digits: the only names that any store ever turns into a path.
bool IsDigest(std::string_view text);

}  // namespace saferl::storage
