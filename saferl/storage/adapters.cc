#include "saferl/storage/adapters.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "saferl/base/text.h"

namespace saferl::storage {
namespace {

/// Length of the UTF-8 sequence at the front, 0 where it is none (RFC 3629: no overlong forms, no
/// surrogates, nothing above U+10FFFF).
size_t SequenceLength(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](size_t i) { return i < text.size() && (at(i) & 0xC0) == 0x80; };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!tail(1) || !tail(2)) return 0;
    if (first == 0xE0 && at(1) < 0xA0) return 0;
    if (first == 0xED && at(1) > 0x9F) return 0;
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (first == 0xF0 && at(1) < 0x90) return 0;
    if (first == 0xF4 && at(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

const char* ProblemOfText(std::string_view text) {
  while (!text.empty()) {
    if (text.front() == '\0') return "text holds a NUL; store bytes in a Blob";
    const size_t length = SequenceLength(text);
    if (length == 0) return "text is not UTF-8; store bytes in a Blob";
    text.remove_prefix(length);
  }
  return nullptr;
}

/// Where the literal, quoted name or comment that begins at `at` ends; `at` itself where none does.
size_t SkipQuoted(std::string_view sql, size_t at) {
  const auto after = [&](std::string_view end, size_t from) {
    const size_t found = sql.find(end, from);
    return found == std::string_view::npos ? sql.size() : found + end.size();
  };
  const std::string_view rest = sql.substr(at);
  if (rest[0] == '\'' || rest[0] == '"') return after(rest.substr(0, 1), at + 1);
  if (rest.starts_with("--")) return after("\n", at);
  if (rest.starts_with("/*")) return after("*/", at + 2);
  return at;
}

}  // namespace

StatementWords WordsOf(std::string_view sql) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  StatementWords out;
  for (size_t at = 0; at < sql.size();) {
    if (const size_t end = SkipQuoted(sql, at); end != at) {
      at = end;
    } else if (sql[at] == '$') {
      size_t number = 0;
      const auto read = std::from_chars(sql.data() + at + 1, sql.data() + sql.size(), number);
      if (read.ec == std::errc()) out.parameters = std::max(out.parameters, number);
      at = std::max(at + 1, static_cast<size_t>(read.ptr - sql.data()));
    } else if (out.first.empty() && is_letter(sql[at])) {
      for (; at < sql.size() && is_letter(sql[at]); ++at) {
        out.first.push_back(static_cast<char>(sql[at] & ~0x20));
      }
    } else {
      ++at;
    }
  }
  return out;
}

Status CheckParameters(std::span<const Value> parameters) {
  for (size_t i = 0; i < parameters.size(); ++i) {
    const char* problem = nullptr;
    if (const auto* text = std::get_if<std::string>(&parameters[i])) problem = ProblemOfText(*text);
    if (const auto* number = std::get_if<double>(&parameters[i]); number && std::isnan(*number)) {
      problem = "is not a number; store null where there is none";
    }
    if (problem) return absl::InvalidArgumentError(Cat("parameter $", i + 1, ": ", problem));
  }
  return absl::OkStatus();
}

std::string Excerpt(std::string_view sql) {
  constexpr size_t kMost = 120;
  std::string out(sql.substr(0, kMost));
  for (char& c : out) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  if (sql.size() > kMost) out += "...";
  return out;
}

}  // namespace saferl::storage
