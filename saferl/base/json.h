#pragma once
// JSON: a writer that keeps the order of its calls and writes the shortest text that reads back to
// the same number, and a strict parser (RFC 8259, nothing more) to a Node tree.
//
// Writer: NaN and infinities become null (JSON has neither). Text that is not UTF-8 is written with
// its bad bytes replaced by U+FFFD. Misuse (an End without Begin, a value without a key) is a
// programmer error: the process aborts with a message. Parser: duplicate keys, trailing text,
// comments, depth and size beyond ParseLimits are errors with file:line. RT: no.

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/node.h"
#include "saferl/base/status.h"

namespace saferl {

class JsonWriter {
 public:
  /// indent 0: one line.
  explicit JsonWriter(int indent = 0) : indent_(indent) {}

  JsonWriter& BeginObject();
  JsonWriter& EndObject();
  JsonWriter& BeginArray();
  JsonWriter& EndArray();
  JsonWriter& Key(std::string_view key);
  JsonWriter& Null();
  JsonWriter& Value(std::string_view text);
  JsonWriter& Value(const char* text) { return Value(std::string_view(text)); }
  JsonWriter& Value(const std::string& text) { return Value(std::string_view(text)); }
  JsonWriter& Value(double number);
  JsonWriter& Value(float number);
  JsonWriter& Value(std::same_as<bool> auto truth) { return Raw(truth ? "true" : "false"); }
  template <std::signed_integral I>
  JsonWriter& Value(I number) {
    return Signed(number);
  }
  template <std::unsigned_integral U>
    requires(!std::same_as<U, bool>)
  JsonWriter& Value(U number) {
    return Unsigned(number);
  }
  /// Any range of values: [a, b, c].
  template <class Range>
    requires requires(const Range& r) {
      r.begin();
      r.end();
    } && (!std::convertible_to<Range, std::string_view>)
  JsonWriter& Value(const Range& range) {
    BeginArray();
    for (const auto& item : range) Value(item);
    return EndArray();
  }
  /// "key": value
  template <class T>
  JsonWriter& Field(std::string_view key, const T& value) {
    return Key(key).Value(value);
  }
  /// JSON text made elsewhere, taken as one value.
  JsonWriter& Raw(std::string_view json);

  /// The text so far; complete when every Begin has its End.
  const std::string& text() const { return text_; }
  std::string Take() { return std::move(text_); }

 private:
  JsonWriter& Signed(int64_t number);
  JsonWriter& Unsigned(uint64_t number);
  JsonWriter& Open(char bracket);
  JsonWriter& Close(char bracket);
  void BeforeValue();
  void NewLine();

  struct Level {
    char bracket;
    bool empty = true;
  };
  int indent_;
  bool after_key_ = false;
  std::vector<Level> levels_;
  std::string text_;
};

/// `text` with JSON escapes, without the quotes.
std::string JsonEscape(std::string_view text);

/// Length of the valid UTF-8 sequence at the start of a text that is not empty, 0 if there is none.
size_t Utf8Length(std::string_view text);

/// `name` is the file for messages.
StatusOr<Node> ParseJson(std::string_view text, std::string_view name,
                         const ParseLimits& limits = {});
StatusOr<Node> LoadJson(const std::string& path, const ParseLimits& limits = {});

}  // namespace saferl
