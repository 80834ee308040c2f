#pragma once
// gzip and deflate, bounded. The one place that includes zlib.
//
// Bytes in, bytes out; nothing is kept between calls. RT: no. Source: RFC 1950, 1952, 9110 8.4.1.

#include <string>
#include <string_view>

#include "saferl/base/status.h"

namespace saferl::net {

enum class Coding : uint8_t { kIdentity, kGzip, kDeflate };
std::string_view Name(Coding coding);

/// Unpacks the whole body, however many gzip members it has. InvalidArgument: damaged, cut short or
/// with bytes behind its end. ResourceExhausted: more than `max_bytes`, or more than kMaxRatio
/// times the input beyond the first kFreeBytes (a compression bomb).
StatusOr<std::string> Decompress(Coding coding, std::string_view bytes, size_t max_bytes);
inline constexpr size_t kMaxRatio = 100;
inline constexpr size_t kFreeBytes = 64 << 10;

std::string Compress(Coding coding, std::string_view bytes);

/// What a Content-Encoding names; InvalidArgument for anything else than one of ours.
StatusOr<Coding> ContentCoding(std::string_view value);
/// The best of ours that an Accept-Encoding allows.
Coding AcceptedCoding(std::string_view value);

}  // namespace saferl::net
