#pragma once
// Whole files: read with a size limit, written so that a reader sees the old file or the new one,
// never half.
//
// Errors: kNotFound, kPermissionDenied, kUnavailable (I/O), kInvalidArgument (larger than the
// limit), each naming the path and what to do. RT: no.

#include <cstddef>
#include <string>
#include <string_view>

#include "saferl/base/status.h"

namespace saferl {

inline constexpr size_t kDefaultMaxFileBytes = size_t{256} << 20;

StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes = kDefaultMaxFileBytes);

/// Writes a temporary file beside `path`, syncs it, renames it over `path`, syncs the directory.
Status WriteFileAtomic(const std::string& path, std::string_view contents);

bool FileExists(const std::string& path);

/// The status that errno stands for, as "<path>: <what failed>: <reason>; <next step>".
Status ErrnoStatus(int error, std::string_view path, std::string_view what);

}  // namespace saferl
