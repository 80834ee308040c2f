#include "saferl/net/target.h"

#include <cstdint>

#include "saferl/base/text.h"

namespace saferl::net {
namespace {

constexpr size_t kMaxQueryFields = 256;

Status Bad(std::string_view problem) {
  return absl::InvalidArgumentError(Cat("request target: ", problem));
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsUnreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

bool IsPathByte(char c) {
  return IsUnreserved(c) || (c != '\0' && std::string_view("!$&'()*+,;=:@/%").contains(c));
}

bool HasControl(std::string_view text) {
  for (const char c : text) {
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) return true;
  }
  return false;
}

/// The decoded segment, checked.
StatusOr<std::string> Segment(std::string_view raw) {
  SAFERL_ASSIGN_OR_RETURN(std::string segment, PercentDecode(raw, false));
  if (segment == "." || segment == "..") return Bad("it has a dot segment; send the resolved path");
  if (segment.find_first_of("/\\") != std::string::npos) {
    return Bad("it has an encoded slash or backslash; a name cannot contain one");
  }
  if (HasControl(segment)) return Bad("it has an encoded control character");
  if (!IsUtf8(segment)) return Bad("it is not UTF-8; encode names as UTF-8");
  return segment;
}

Status ParsePath(std::string_view raw, Target* target) {
  for (const char c : raw) {
    if (!IsPathByte(c)) return Bad("its path has a character that must be percent-encoded");
  }
  raw.remove_prefix(1);
  while (!raw.empty()) {
    const size_t slash = raw.find('/');
    const std::string_view piece = raw.substr(0, slash);
    if (piece.empty()) return Bad("it has an empty segment; send single slashes");
    SAFERL_ASSIGN_OR_RETURN(const std::string segment, Segment(piece));
    target->path += '/';
    target->path += segment;
    if (slash == std::string_view::npos) break;
    raw.remove_prefix(slash + 1);
  }
  if (target->path.empty()) target->path.push_back('/');
  return absl::OkStatus();
}

Status ParseQuery(std::string_view raw, Target* target) {
  for (const char c : raw) {
    if (!IsPathByte(c) && c != '?' && c != '[' && c != ']') {
      return Bad("its query has a character that must be percent-encoded");
    }
  }
  while (!raw.empty()) {
    const size_t end = raw.find('&');
    const std::string_view field = raw.substr(0, end);
    if (!field.empty()) {
      const size_t equals = field.find('=');
      SAFERL_ASSIGN_OR_RETURN(std::string name, PercentDecode(field.substr(0, equals), true));
      std::string value;
      if (equals != std::string_view::npos) {
        SAFERL_ASSIGN_OR_RETURN(value, PercentDecode(field.substr(equals + 1), true));
      }
      if (!IsUtf8(name) || !IsUtf8(value)) return Bad("its query is not UTF-8");
      if (name.contains('\0') || value.contains('\0')) return Bad("its query has a NUL");
      if (target->query.size() == kMaxQueryFields) return Bad("its query has over 256 fields");
      target->query.emplace_back(std::move(name), std::move(value));
    }
    if (end == std::string_view::npos) break;
    raw.remove_prefix(end + 1);
  }
  return absl::OkStatus();
}

/// What follows the authority of an absolute form; the text itself otherwise.
StatusOr<std::string_view> OriginForm(std::string_view text) {
  if (text.starts_with('/')) return text;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!text.starts_with(scheme)) continue;
    const std::string_view rest = text.substr(scheme.size());
    const size_t end = rest.find_first_of("/?");
    if (end == 0 || rest.empty()) break;
    for (const char c : rest.substr(0, end)) {
      if (!IsUnreserved(c) && !std::string_view(":[]").contains(c)) return Bad("bad authority");
    }
    return end == std::string_view::npos ? "/" : rest.substr(end);
  }
  return Bad("it is neither an absolute path nor an http URI");
}

/// A path that is its own decoding: no query, nothing encoded, no segment that is empty or may be
/// a dot segment.
bool IsPlainPath(std::string_view text) {
  char before = '\0';
  for (const char c : text) {
    const bool starts = before == '/' || before == '\0';
    if (c == '/' ? before == '/' : !IsUnreserved(c) || (c == '.' && starts)) return false;
    before = c;
  }
  return text.starts_with('/') && text.size() > 1 && before != '/';
}

}  // namespace

StatusOr<Target> ParseTarget(std::string_view text) {
  if (IsPlainPath(text)) return Target{.path = std::string(text), .query = {}};
  SAFERL_ASSIGN_OR_RETURN(const std::string_view origin, OriginForm(text));
  Target target;
  const size_t question = origin.find('?');
  const std::string_view path = origin.substr(0, question);
  SAFERL_RETURN_IF_ERROR(ParsePath(path.empty() ? "/" : path, &target));
  if (question != std::string_view::npos) {
    SAFERL_RETURN_IF_ERROR(ParseQuery(origin.substr(question + 1), &target));
  }
  return target;
}

StatusOr<std::string> PercentDecode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return Bad("'%' must be followed by two hexadecimal digits");
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::string PercentEncode(std::string_view text, std::string_view keep) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (IsUnreserved(c) || keep.contains(c)) {
      out += c;
    } else {
      out += '%';
      out += kHex[static_cast<uint8_t>(c) >> 4];
      out += kHex[static_cast<uint8_t>(c) & 15];
    }
  }
  return out;
}

bool IsUtf8(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  for (size_t i = 0; i < text.size();) {
    const uint8_t first = at(i);
    if (first < 0x80) {
      ++i;
      continue;
    }
    const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || i + length > text.size()) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((at(i + k) & 0xc0) != 0x80) return false;
    }
    const uint8_t second = at(i + 1);
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) {
      return false;
    }
    i += length;
  }
  return true;
}

}  // namespace saferl::net
