#include "saferl/net/compression.h"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>

#include "saferl/base/text.h"
#include "saferl/net/http.h"

namespace saferl::net {
namespace {

constexpr int kGzipWindow = 15 + 16;  // zlib's spelling of "gzip"
constexpr int kZlibWindow = 15;
constexpr int kLevel = 1;  // speed: the network is near, the processor is shared

using Inflater = std::unique_ptr<z_stream, int (*)(z_stream*)>;

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

Bytef* In(std::string_view bytes) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}

/// The q of "gzip;q=0.5", 1 when there is none, 0 when it cannot be read.
double Quality(std::string_view parameters) {
  const std::string_view text = Trim(parameters);
  if (text.empty()) return 1;
  if (!text.starts_with("q=") && !text.starts_with("Q=")) return 0;
  double q = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), q);
  return error == std::errc() && end == text.data() + text.size() ? q : 0;
}

}  // namespace

std::string_view Name(Coding coding) {
  switch (coding) {
    case Coding::kGzip:
      return "gzip";
    case Coding::kDeflate:
      return "deflate";
    default:
      return "identity";
  }
}

StatusOr<std::string> Decompress(Coding coding, std::string_view bytes, size_t max_bytes) {
  if (coding == Coding::kIdentity) return std::string(bytes);
  if (bytes.size() > UINT32_MAX) return absl::ResourceExhaustedError("body: more than 4 GiB");
  const Status damaged = absl::InvalidArgumentError(
      Cat("body: not a complete ", Name(coding), " stream; compress it again"));
  z_stream stream{};
  if (inflateInit2(&stream, coding == Coding::kGzip ? kGzipWindow : kZlibWindow) != Z_OK) {
    return absl::ResourceExhaustedError("body: no memory to unpack it");
  }
  const Inflater end(&stream, inflateEnd);
  const size_t most =
      std::min({max_bytes, std::max(kFreeBytes, bytes.size() * kMaxRatio), size_t{UINT32_MAX} - 1});
  std::string out;
  stream.next_in = In(bytes);
  stream.avail_in = static_cast<uInt>(bytes.size());
  for (size_t used = 0;;) {
    out.resize(std::min(most + 1, std::max({size_t{4096}, bytes.size() * 4, used * 2})));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    stream.avail_out = static_cast<uInt>(out.size() - used);
    const int result = inflate(&stream, Z_NO_FLUSH);
    used = out.size() - stream.avail_out;
    if (used > most) {
      return absl::ResourceExhaustedError(
          Cat("body: unpacks to more than ", most, " bytes, the limit here; send less"));
    }
    if (result == Z_STREAM_END) {
      if (stream.avail_in == 0) {
        out.resize(used);
        return out;
      }
      // gzip allows members one after the other; zlib has nothing behind its end.
      if (coding != Coding::kGzip || inflateReset(&stream) != Z_OK) return damaged;
    } else if (result != Z_OK || (stream.avail_in == 0 && stream.avail_out > 0)) {
      return damaged;
    }
  }
}

std::string Compress(Coding coding, std::string_view bytes) {
  if (coding == Coding::kIdentity || bytes.size() > UINT32_MAX) return std::string(bytes);
  z_stream stream{};
  const int window = coding == Coding::kGzip ? kGzipWindow : kZlibWindow;
  if (deflateInit2(&stream, kLevel, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) != Z_OK) return {};
  const Inflater end(&stream, deflateEnd);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = In(bytes);
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) return {};
  out.resize(out.size() - stream.avail_out);
  return out;
}

StatusOr<Coding> ContentCoding(std::string_view value) {
  for (const Coding coding : {Coding::kGzip, Coding::kDeflate, Coding::kIdentity}) {
    if (EqualIgnoringCase(value, Name(coding))) return coding;
  }
  if (EqualIgnoringCase(value, "x-gzip")) return Coding::kGzip;
  return absl::InvalidArgumentError(
      Cat("Content-Encoding: '", value, "' is not taken; send gzip, deflate or none"));
}

Coding AcceptedCoding(std::string_view value) {
  double gzip = -1, deflate = -1, any = 0;
  while (!value.empty()) {
    const size_t comma = std::min(value.find(','), value.size());
    const std::string_view item = value.substr(0, comma);
    const size_t semicolon = std::min(item.find(';'), item.size());
    const std::string_view name = Trim(item.substr(0, semicolon));
    const double q = Quality(item.substr(std::min(semicolon + 1, item.size())));
    if (EqualIgnoringCase(name, "gzip") || EqualIgnoringCase(name, "x-gzip")) gzip = q;
    if (EqualIgnoringCase(name, "deflate")) deflate = q;
    if (name == "*") any = q;
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
  if (gzip < 0) gzip = any;
  if (deflate < 0) deflate = any;
  if (gzip <= 0 && deflate <= 0) return Coding::kIdentity;
  return gzip >= deflate ? Coding::kGzip : Coding::kDeflate;
}

}  // namespace saferl::net
