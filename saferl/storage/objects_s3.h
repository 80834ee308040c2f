#pragma once
// Objects in an S3 bucket under PREFIX/<digest>.
//
// Put asks first (HEAD); above part_bytes it uploads in parts and aborts the upload when one fails.
// (A program that dies in between leaves an upload behind: let the bucket's lifecycle rule
// AbortIncompleteMultipartUpload remove those.) Every body is signed with its SHA-256, which the
// server checks. The key needs s3:GetObject, PutObject, DeleteObject, AbortMultipartUpload on
// PREFIX/* and ListBucket on the bucket (without that one, AWS calls what is missing forbidden).
// RT: no.

#include <memory>

#include "saferl/storage/objects.h"

namespace saferl::storage {

StatusOr<std::unique_ptr<Objects>> OpenObjectsS3(const ObjectsOptions& options);

}  // namespace saferl::storage
