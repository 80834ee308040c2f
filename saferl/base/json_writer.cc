#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "saferl/base/json.h"

namespace saferl {
namespace {

template <class Number>
std::string_view Format(Number number, char (&buffer)[40]) {
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, number);
  return {buffer, static_cast<size_t>(end - buffer)};
}

[[noreturn]] void Misuse(const char* what) {
  std::fprintf(stderr, "JsonWriter: %s\n", what);
  std::abort();
}

}  // namespace

size_t Utf8Length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (first == 0xe0 && byte(1) < 0xa0) return 0;   // overlong
  if (first == 0xed && byte(1) >= 0xa0) return 0;  // surrogate
  if (first == 0xf0 && byte(1) < 0x90) return 0;   // overlong
  if (first == 0xf4 && byte(1) >= 0x90) return 0;  // beyond U+10FFFF
  return length;
}

namespace {

bool IsPlain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
}

void AppendEscaped(std::string_view text, std::string* out) {
  while (!text.empty()) {
    size_t plain = 0;
    while (plain < text.size() && IsPlain(text[plain])) ++plain;
    out->append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) return;
    const char c = text.front();
    const size_t length = Utf8Length(text);
    if (length == 0) {
      *out += "\xef\xbf\xbd";
    } else if (c == '"' || c == '\\') {
      *out += {'\\', c};
    } else if (c == '\n') {
      *out += "\\n";
    } else if (c == '\t') {
      *out += "\\t";
    } else if (c == '\r') {
      *out += "\\r";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      *out += escape;
    } else {
      out->append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
}

}  // namespace

std::string JsonEscape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  AppendEscaped(text, &out);
  return out;
}

void JsonWriter::NewLine() {
  if (indent_ == 0) return;
  text_ += '\n';
  text_.append(levels_.size() * static_cast<size_t>(indent_), ' ');
}

void JsonWriter::BeforeValue() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (levels_.empty()) {
    if (!text_.empty()) Misuse("two values at the top");
    return;
  }
  Level& level = levels_.back();
  if (level.bracket == '{') Misuse("a value in an object needs a key");
  if (!level.empty) text_ += ',';
  level.empty = false;
  NewLine();
}

JsonWriter& JsonWriter::Open(char bracket) {
  BeforeValue();
  text_ += bracket;
  levels_.push_back({bracket});
  return *this;
}

JsonWriter& JsonWriter::Close(char bracket) {
  if (levels_.empty() || levels_.back().bracket != bracket || after_key_)
    Misuse("End does not match Begin");
  const bool empty = levels_.back().empty;
  levels_.pop_back();
  if (!empty) NewLine();
  text_ += bracket == '{' ? '}' : ']';
  return *this;
}

JsonWriter& JsonWriter::BeginObject() { return Open('{'); }
JsonWriter& JsonWriter::EndObject() { return Close('{'); }
JsonWriter& JsonWriter::BeginArray() { return Open('['); }
JsonWriter& JsonWriter::EndArray() { return Close('['); }

JsonWriter& JsonWriter::Key(std::string_view key) {
  if (levels_.empty() || levels_.back().bracket != '{' || after_key_)
    Misuse("a key belongs into an object");
  if (!levels_.back().empty) text_ += ',';
  levels_.back().empty = false;
  NewLine();
  text_ += '"';
  AppendEscaped(key, &text_);
  text_ += indent_ == 0 ? "\":" : "\": ";
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::Raw(std::string_view json) {
  BeforeValue();
  text_ += json;
  return *this;
}

JsonWriter& JsonWriter::Null() { return Raw("null"); }

JsonWriter& JsonWriter::Value(std::string_view text) {
  BeforeValue();
  text_ += '"';
  AppendEscaped(text, &text_);
  text_ += '"';
  return *this;
}

JsonWriter& JsonWriter::Value(double number) {
  char buffer[40];
  return std::isfinite(number) ? Raw(Format(number, buffer)) : Null();
}

JsonWriter& JsonWriter::Value(float number) {
  char buffer[40];
  return std::isfinite(number) ? Raw(Format(number, buffer)) : Null();
}

JsonWriter& JsonWriter::Signed(int64_t number) {
  char buffer[40];
  return Raw(Format(number, buffer));
}

JsonWriter& JsonWriter::Unsigned(uint64_t number) {
  char buffer[40];
  return Raw(Format(number, buffer));
}

}  // namespace saferl
