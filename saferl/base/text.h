#pragma once
// Text from pieces: Cat("limit ", 3, " of ", name). Numbers in their shortest exact form.
//
// (absl::StrCat does not take std::string_view in Debian's build of Abseil, whose string_view is
// its own.) RT: no.

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>
#include <vector>

namespace saferl {

namespace text_internal {

inline void Append(std::string* out, std::string_view piece) { out->append(piece); }
void Append(std::string* out, std::same_as<char> auto c) { out->push_back(c); }
void Append(std::string* out, std::same_as<bool> auto truth) {
  out->append(truth ? "true" : "false");
}
template <class Number>
  requires((std::integral<Number> && !std::same_as<Number, bool> && !std::same_as<Number, char>) ||
           std::floating_point<Number>)
void Append(std::string* out, Number number) {
  char buffer[40];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, number);
  out->append(buffer, static_cast<size_t>(end - buffer));
}
/// Any other view of characters (absl::string_view).
template <class View>
  requires(!std::convertible_to<View, std::string_view> &&
           requires(const View& v) {
             { v.data() } -> std::convertible_to<const char*>;
             v.size();
           })
void Append(std::string* out, const View& view) {
  out->append(view.data(), view.size());
}

}  // namespace text_internal

template <class... Pieces>
std::string Cat(const Pieces&... pieces) {
  std::string out;
  (text_internal::Append(&out, pieces), ...);
  return out;
}

/// "a, b, c".
inline std::string Join(const std::vector<std::string>& words, std::string_view separator) {
  std::string out;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += separator;
    out += words[i];
  }
  return out;
}

}  // namespace saferl
